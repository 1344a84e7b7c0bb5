import{k as e}from"./chunk-LCTMO4NC.js";import"./chunk-FXDAMSQ4.js";export{e as Live};
