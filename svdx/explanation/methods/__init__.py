"""The explanation methods, one file per family; conf/explainer names their classes."""
