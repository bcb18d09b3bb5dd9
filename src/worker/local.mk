# Files of src/worker.
