"""A template writes what `transformers` writes, in a sandbox, and says where its answers are."""

import json

import pytest

from hemicycle.errors import InputError
from hemicycle.tune import ChatTemplate, Turn, load_template
from hemicycle.tune.template import Refused

from .chats import CHATML, FORGETS, HEADERS, INSTRUCT, TALK, TEMPLATES, untagged, write_chat_tokenizer


def as_messages(turns):
    return [{"role": turn.role, "content": turn.content} for turn in turns]


def answers(written):
    return [written.text[begin:stop] for begin, stop in written.answers]


@pytest.mark.parametrize("name", [*TEMPLATES, "plain"])
@pytest.mark.parametrize("asks", [False, True])
def test_a_conversation_is_written_as_transformers_writes_it(tmp_path, name, asks):
    from transformers import AutoTokenizer

    folder = write_chat_tokenizer(tmp_path, TEMPLATES.get(name))
    template, oracle = load_template(folder), AutoTokenizer.from_pretrained(folder)
    turns = TALK if name == "instruct" else (Turn("system", "Sois bref."), *TALK)
    asked = turns[:-1] if asks else turns
    expected = oracle.apply_chat_template(
        as_messages(asked), chat_template=template.source, tokenize=False, add_generation_prompt=asks
    )
    assert template.render(asked, asks=asks) == expected


def test_the_plain_template_frames_each_turn_and_ends_each_answer(tmp_path):
    template = load_template(write_chat_tokenizer(tmp_path, None))
    written = template.write(TALK[:2])
    assert written.text == "<s><|user|>\nQui préside la séance ?\n<|assistant|>\nM. Arnaud, élu en 2031.</s>"
    assert answers(written) == ["M. Arnaud, élu en 2031.</s>"]
    assert template.render(TALK[:1], asks=True) == written.text.removesuffix(answers(written)[0])


@pytest.mark.parametrize("name", TEMPLATES)
def test_answers_found_by_what_is_added_are_those_between_tags(name):
    special = {"bos_token": "<s>", "eos_token": "</s>"}
    tagged = ChatTemplate(TEMPLATES[name], special, "t").write(TALK)
    by_prefix = ChatTemplate(untagged(TEMPLATES[name]), special, "t").write(TALK)
    assert by_prefix.text == tagged.text
    assert len(tagged.answers) == len(by_prefix.answers) == 2
    for tag, prefix in zip(answers(tagged), answers(by_prefix), strict=True):
        assert prefix.startswith(tag)
        assert not prefix.removeprefix(tag).strip()


def test_a_template_that_writes_earlier_turns_anew_must_say_where_answers_are():
    with pytest.raises(InputError, match="writes the beginning of a conversation anew") as caught:
        ChatTemplate(FORGETS, {}, "base/chat_template.jinja").write(TALK)
    assert caught.value.place == "base/chat_template.jinja"
    said = "{{ message.content }}<|im_end|>"
    tagged = FORGETS.replace(
        said,
        f"{{% if message.role == 'assistant' %}}{{% generation %}}{said}{{% endgeneration %}}"
        f"{{% else %}}{said}{{% endif %}}",
    )
    written = ChatTemplate(tagged, {}, "t").write(TALK)
    assert answers(written) == ["M. Arnaud, élu en 2031.<|im_end|>", "Personne.<|im_end|>"]


def test_what_a_template_refuses_is_said_in_its_own_words():
    with pytest.raises(Refused, match="System role not supported"):
        ChatTemplate(INSTRUCT, {}, "t").render([Turn("system", "Sois bref."), *TALK])


@pytest.mark.parametrize(
    "source",
    [
        "{{ messages.__class__.__mro__ }}",
        "{{ ''.__class__.__base__.__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{{ cycler.__init__.__globals__ }}",
        "{% for i in range(10 ** 9) %}{% endfor %}",
        "{{ 1 // 0 }}",
    ],
)
def test_a_hostile_template_gets_nowhere(source):
    with pytest.raises(Refused):
        ChatTemplate(source, {}, "t").render(TALK)


def test_a_template_does_not_see_the_clock():
    source = "{% if strftime_now is defined %}{{ strftime_now('%Y') }}{% else %}sans date{% endif %}"
    assert ChatTemplate(source, {}, "t").render(TALK) == "sans date"


def test_a_template_that_is_none_is_refused_with_its_file(tmp_path):
    write_chat_tokenizer(tmp_path, "{% for x in %}")
    with pytest.raises(InputError, match="cannot be compiled") as caught:
        load_template(tmp_path)
    assert caught.value.place == str(tmp_path / "chat_template.jinja")


def test_the_template_of_a_configuration_may_be_a_text_or_one_of_several(tmp_path):
    path = write_chat_tokenizer(tmp_path, None) / "tokenizer_config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps(config | {"chat_template": CHATML}))
    assert load_template(tmp_path).source == CHATML
    several = [{"name": "rag", "template": "x"}, {"name": "default", "template": HEADERS}]
    path.write_text(json.dumps(config | {"chat_template": several}))
    assert load_template(tmp_path).source == HEADERS
    path.write_text(json.dumps(config | {"chat_template": several[:1]}))
    with pytest.raises(InputError, match="neither a text nor a list in which one is called “default”"):
        load_template(tmp_path)


def test_without_a_template_a_tokenizer_must_name_how_an_answer_ends(tmp_path):
    path = write_chat_tokenizer(tmp_path, None) / "tokenizer_config.json"
    path.write_text(json.dumps({"bos_token": "<s>"}))
    with pytest.raises(InputError, match="neither a chat template nor an eos_token"):
        load_template(tmp_path)
