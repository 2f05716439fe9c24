"""Which test is about what, where that cannot be seen from its name."""

# Folders of tests that no room of the sources has.
ROOMS_OF_THEIR_OWN = {
    "benchmarks": "the benchmarks, which are no part of the package",
    "container": "the Dockerfile",
    "docs": "the pages: what they show is what happens",
    "e2e": "real servers from start to end, each with one question",
    "examples": "the examples",
    "frameworks": "models as their frameworks save them, and what the frameworks say of the same photos",
}

# A test of several files of its room, and what it asks them.
SUBJECTS = {
    "test_house.py": "the rules of the house",
    "test_public_api.py": "what can be imported, and what that loads",
    "loadtest/test_client_limit.py": "a client that is slower than the server is not taken for the server's limit",
    "loadtest/test_ends.py": "a load test that is interrupted leaves nothing behind",
    "loadtest/test_wrk.py": "the figures are those of wrk",
    "predictor/images/test_bombs.py": "no picture costs more memory than its pixels explain",
    "predictor/test_one_answer.py": "library, command line and servers give the same answer for every format",
    "server/test_bad_images.py": "pictures that are none, through POST /predict",
    "server/test_batch.py": "POST /predict/batch",
    "server/test_every_door.py": "every route, method and credential: who is let in",
    "server/test_fuzz.py": "no bytes of a request give a 500",
    "server/test_stop.py": "the stop of a real server under load: nothing that was sent in time is lost",
    "server/transport/test_uvicorn.py": "what is used of uvicorn that it does not promise",
    "server/test_usual_form.py": "the quick way through the usual form gives what the parser gives",
    "server/test_workers.py": "the server with worker processes that end, hang and grow",
    "store/test_datasette.py": "the history opens in Datasette",
}

_ENGINE = ("engine/test_engine.py", "engine/test_process_pool.py", "server/test_workers.py")
_LOADTEST = ("loadtest/test_session.py", "commands/loadtest/test_command.py")
_MODEL = ("commands/model/test_app.py", "commands/model/test_check.py")
_CONNECTION = ("server/transport/test_protocol.py", "server/transport/test_connection.py")
_SERVED = ("server/endpoints/test_predict.py", "e2e/test_life.py")

# Source files and folders without a test of their own name, and the tests whose front door leads through them.
ELSEWHERE = {
    # What a command prints is looked at where the command is run.
    "commands/config/show.py": ("commands/config/test_app.py",),
    "commands/history/": ("commands/history/test_app.py",),
    "commands/loadtest/": ("commands/loadtest/test_command.py",),
    "commands/model/": _MODEL,
    "commands/terminal/": ("commands/history/test_app.py", "commands/test_predict.py", "commands/test_token.py"),
    # The same tests run against workers on threads and in processes.
    "engine/connection.py": _ENGINE,
    "engine/fork_server.py": _ENGINE,
    "engine/fork_server_main.py": _ENGINE,
    "engine/guilt.py": _ENGINE,
    "engine/kernel.py": _ENGINE,
    "engine/loaded_model.py": _ENGINE,
    "engine/losses.py": _ENGINE,
    "engine/parent.py": _ENGINE,
    "engine/protocols.py": _ENGINE,
    "engine/share.py": ("engine/test_admission.py",),
    "engine/start.py": _ENGINE,
    "engine/suspects.py": _ENGINE,
    "engine/thread_pool.py": _ENGINE,
    "engine/worker_main.py": _ENGINE,
    # What a comparison finds is what its command prints.
    "comparison/": ("commands/model/test_compare.py",),
    # Errors have no behaviour of their own; who raises them is tested for it.
    "errors/": ("server/test_problems.py", "docs/test_pages.py"),
    # Who may say what is asked in a folder that is a stranger's.
    "trust/claims.py": ("e2e/test_strangers_folder.py", "commands/config/test_trust.py"),
    # A load test is run whole: its processes, its requests and its report belong together.
    "loadtest/": _LOADTEST,
    # A backend is tested by loading files of its format and asking them.
    "predictor/backends/builtin/": ("predictor/backends/builtin/test_digits.py",),
    "predictor/backends/huggingface/": ("predictor/backends/huggingface/test_load.py",),
    "predictor/backends/onnx/": ("predictor/backends/onnx/test_load.py",),
    "predictor/backends/plugin.py": ("predictor/models/formats/test_plugins.py", "examples/test_plugin.py"),
    "predictor/backends/preparation.py": ("predictor/backends/python/test_transform.py",),
    "predictor/backends/python/": ("predictor/backends/python/test_load.py",),
    "predictor/backends/sklearn/": ("predictor/backends/sklearn/test_load.py",),
    "predictor/backends/torch/": ("predictor/backends/torch/test_load.py", "predictor/backends/torch/test_library.py"),
    "predictor/backends/torch/tensors.py": ("predictor/backends/torch/test_checkpoint.py",),
    "predictor/backends/probe/answers.py": (
        "predictor/backends/probe/test_model.py",
        "predictor/backends/probe/test_score_kind.py",
    ),
    "predictor/backends/torch/vision.py": ("predictor/backends/torch/test_module.py",),
    "predictor/steps.py": ("predictor/test_predictor.py",),
    "predictor/contract.py": ("predictor/test_predictor.py", "predictor/test_loading.py"),
    "predictor/models/config/files.py": ("e2e/test_strangers_folder.py", "predictor/models/config/test_read.py"),
    "predictor/models/config/timm_input.py": (
        "predictor/models/config/test_presets.py",
        "predictor/backends/timm/test_folder.py",
    ),
    "predictor/models/advice/whole_pickles.py": ("predictor/backends/torch/test_checkpoint.py",),
    "predictor/models/advice/incomplete.py": (
        "predictor/backends/torch/test_load.py",
        "predictor/backends/python/test_load.py",
    ),
    "predictor/models/formats/kinds.py": ("predictor/models/files/test_file.py",),
    "predictor/models/code/hidden_code.py": (
        "predictor/models/code/test_trust.py",
        "predictor/models/formats/test_plugins.py",
    ),
    "predictor/models/files/pickle_scan.py": ("predictor/models/code/test_trust.py",),
    "predictor/models/resolve.py": ("predictor/test_loading.py",),
    "predictor/models/config/keys.py": ("predictor/models/config/test_read.py",),
    "predictor/models/formats/zip_limits.py": ("predictor/backends/sklearn/test_load.py",),
    "predictor/user_code.py": ("predictor/backends/python/test_load.py",),
    # A record of this user's is looked at where trust is kept in one.
    "trust/private_record.py": ("predictor/models/code/test_trust.py",),
    # The server is asked over a socket.
    "server/app.py": _SERVED,
    "server/context.py": ("server/middleware/test_access_log.py", "server/test_problems.py"),
    "server/counters.py": ("server/test_metrics.py",),
    "server/middleware/exceptions.py": ("server/test_problems.py",),
    "server/parameters.py": ("server/endpoints/test_predict.py", "server/endpoints/test_history.py"),
    "server/prometheus.py": ("server/test_metrics.py",),
    "server/recorder.py": ("server/endpoints/test_predict.py", "e2e/test_durability.py"),
    "server/resources.py": ("commands/test_serve.py", "e2e/test_life.py"),
    "server/run.py": _SERVED,
    "server/server.py": ("server/test_stop.py", "server/test_signals.py", *_SERVED),
    "server/service.py": ("server/endpoints/test_predict.py", "server/test_batch.py"),
    "server/transport/cycle.py": _CONNECTION,
    "server/transport/head.py": _CONNECTION,
    "server/transport/limits.py": _CONNECTION,
    "server/transport/outlet.py": _CONNECTION,
    "server/transport/refusal.py": _CONNECTION,
    "server/transport/shared.py": _CONNECTION,
    "server/uploads.py": ("server/endpoints/test_predict.py", "server/test_multipart.py", "server/test_usual_form.py"),
    # Errors of SQLite are made by breaking databases.
    "store/sqlite.py": ("store/test_writer.py", "store/test_guard.py", "e2e/test_lost_database.py"),
    "setting_texts.py": ("test_configuration.py", "docs/test_pages.py"),
    "settings.py": ("test_configuration.py", "test_values.py"),
    "settings_files.py": ("test_configuration.py",),
    # What a user vouches for is asked by the command that records it.
    "trust/vouched.py": ("commands/config/test_trust.py",),
    "store/rows.py": ("store/test_predictions.py", "store/test_transaction.py"),
}
