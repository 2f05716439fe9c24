"""From measurements to the report: verdict, gates, page, charts."""
