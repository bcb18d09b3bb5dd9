# Files of src/master.
