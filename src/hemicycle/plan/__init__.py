"""Planning: when and where the runs of a programme go, and what the sites have left."""
