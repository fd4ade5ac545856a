"""From tracks to tensors: cached log-mels (cache), excerpts, batches, augmentation and the LightningDataModule."""
