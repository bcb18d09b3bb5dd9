# Files of src/tools.
