"""A report: numbers computed from runs, tables, pictures, the page."""
