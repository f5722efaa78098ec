"""What a suite will cost: parameters, memory, steps and hours of each cell, and how much of it is done."""
