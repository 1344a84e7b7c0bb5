import{j as e}from"./chunk-7JCSTXXF.js";import"./chunk-FXDAMSQ4.js";export{e as Live};
