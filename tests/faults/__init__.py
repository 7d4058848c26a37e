"""The fault suite: real processes, killed and cut off on purpose; what the sites themselves wrote down is counted."""
