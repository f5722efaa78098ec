"""Published weights: for each family a catalog (NAME.yaml) and the function that reads its files (NAME.py)."""
