import{j as e}from"./chunk-4OK3WCBL.js";import"./chunk-FXDAMSQ4.js";export{e as Live};
