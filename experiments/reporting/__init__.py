"""Parts of a report: what is computed from runs, tables, pictures, the page."""
