"""Image classifiers as transformers saves them: a folder with `config.json`, weights, and how pictures are prepared."""
