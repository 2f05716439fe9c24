"""How much a server holds: Locust, headless, in processes of its own, steered and measured from here."""
