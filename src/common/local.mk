# Files of src/common.
