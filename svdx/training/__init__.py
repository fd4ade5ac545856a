"""The LightningModules that train the classifier and the inverter."""
