"""The gallery: every state of every part of the pages, drawn by the product's own templates from made-up data."""
