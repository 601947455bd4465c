"""What is written of runs: tables, plots, pages."""
