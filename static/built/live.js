import{k as e}from"./chunk-RLC6DQCL.js";import"./chunk-FXDAMSQ4.js";export{e as Live};
