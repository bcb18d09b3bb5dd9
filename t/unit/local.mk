# Files of t/unit.
