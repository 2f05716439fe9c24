"""A model with several outputs: the one that fits the labels, else a question that names them."""

from cvserve.predictor.models.outputs import SeveralOutputs, missing_output


def test_only_an_output_with_one_score_a_label_is_taken() -> None:
    several = SeveralOutputs({"features": (8,), "logits": (5,), "map": (5, 7, None)})
    assert several.find_fit(tuple("abcde")) == "logits"
    assert several.find_fit(tuple("abc")) is None
    assert several.find_fit(None) is None
    assert SeveralOutputs({0: (5,), 1: (5,)}).find_fit(tuple("abcde")) is None


def test_the_question_names_each_output_and_what_to_write() -> None:
    assert str(SeveralOutputs({"features": (8,), "log\nits": (5,), 2: (None, 3)})) == (
        r"gives 'features' [N, 8], 'log\nits' [N, 5], 2 [N, ?, 3], and it cannot be seen which of them are the scores; "
        "write into its model.toml which one, such as [output] use = 2"
    )
    assert str(missing_output("logit", {"features": (8,), "logits": (5,)})) == (
        "has no output 'logit', which [output] use in its model.toml names; it gives "
        "'features' [N, 8], 'logits' [N, 5]."
    )
