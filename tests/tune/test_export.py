"""A tuned model is asked as it was taught, and stops where its answers ended."""

import json

from transformers import AutoTokenizer

from hemicycle.tune.export import export_chat

from .chats import CHATML, TALK, write_chat_tokenizer


def model_folder(folder, **settings):
    write_chat_tokenizer(folder, None)
    if settings:
        (folder / "generation_config.json").write_text(json.dumps(settings))
    return folder


def tokens_folder(folder, template=CHATML):
    folder.mkdir()
    if template:
        (folder / "chat_template.jinja").write_text(template)
    return folder


def stated(folder):
    return json.loads((folder / "generation_config.json").read_text())


def test_transformers_asks_in_the_template_that_was_taught(tmp_path):
    model = model_folder(tmp_path / "m")
    export_chat(model, [tokens_folder(tmp_path / "t")], [9])
    messages = [{"role": turn.role, "content": turn.content} for turn in TALK[:1]]
    asked = AutoTokenizer.from_pretrained(model).apply_chat_template(
        messages, tokenize=False, add_generation_prompt=True
    )
    assert asked == "<|im_start|>user\nQui préside la séance ?<|im_end|>\n<|im_start|>assistant\n"


def test_writing_stops_at_the_marks_that_ended_answers_besides_those_of_the_base(tmp_path):
    for number, (before, after) in enumerate([(1, [1, 7, 9]), ([7, 3], [7, 3, 9]), (None, [7, 9])]):
        model = model_folder(tmp_path / f"m{number}", eos_token_id=before, temperature=0.6)
        export_chat(model, [tokens_folder(tmp_path / f"t{number}")], [9, 7])
        assert stated(model) == {"eos_token_id": after, "temperature": 0.6}
    model = model_folder(tmp_path / "alone")
    export_chat(model, [tokens_folder(tmp_path / "t")], [7])
    assert stated(model) == {"eos_token_id": 7}


def test_a_model_that_learnt_of_no_conversation_is_left_as_it_is(tmp_path):
    model = model_folder(tmp_path / "m", eos_token_id=1)
    export_chat(model, [tokens_folder(tmp_path / "t", None)], [7])
    assert stated(model) == {"eos_token_id": 1}
    assert not (model / "chat_template.jinja").exists()
