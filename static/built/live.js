import{j as e}from"./chunk-5VTU5Z4N.js";import"./chunk-4FTGTBNY.js";export{e as Live};
