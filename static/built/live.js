import{j as e}from"./chunk-WDLVDXDZ.js";import"./chunk-FXDAMSQ4.js";export{e as Live};
