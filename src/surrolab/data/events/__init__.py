"""Events: binned by time and place, kept on disk, made into batches."""
