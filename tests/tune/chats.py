"""Chat templates as models have them, with and without tags around answers, and tokenizers for them."""

import json
import re

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from hemicycle.tokens.encoder import byte_level
from hemicycle.tune import Turn

CHATML = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['role'] == 'assistant' %}"
    "{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}"
    "{% else %}{{ message['content'] + '<|im_end|>' }}{% endif %}{{ '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
HEADERS = (
    "{{- bos_token }}\n{%- for message in messages %}\n"
    "    {{- '<|start|>' + message.role + '<|stop|>\n\n' }}\n"
    "    {%- if message.role == 'assistant' %}{% generation %}{{ message.content | trim + '<|im_end|>' }}"
    "{% endgeneration %}{% else %}{{ message.content | trim + '<|im_end|>' }}{% endif %}\n"
    "{%- endfor %}\n"
    "{%- if add_generation_prompt %}{{- '<|start|>assistant<|stop|>\n\n' }}{%- endif %}"
)
ZEPHYR = (
    "{% for message in messages %}{% if message['role'] == 'assistant' %}{{ '<assistant>\n' }}"
    "{% generation %}{{ message['content'] + eos_token }}{% endgeneration %}{{ '\n' }}"
    "{% else %}{{ '<' + message['role'] + '>\n' + message['content'] + '\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<assistant>\n' }}{% endif %}"
)
INSTRUCT = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}"
    "{% elif message['role'] == 'assistant' %}"
    "{% generation %}{{ ' ' + message['content'] + eos_token }}{% endgeneration %}"
    "{% else %}{{ raise_exception('System role not supported') }}{% endif %}{% endfor %}"
)
#: Writes earlier answers anew: what was thought is kept in the last one only.
FORGETS = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n"
    "{% if message.role == 'assistant' and loop.last %}<think></think>{% endif %}"
    "{{ message.content }}<|im_end|>{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TEMPLATES = {"chatml": CHATML, "headers": HEADERS, "zephyr": ZEPHYR, "instruct": INSTRUCT}

TALK = (
    Turn("user", "Qui préside la séance ?"),
    Turn("assistant", "M. Arnaud, élu en 2031."),
    Turn("user", "Et avant lui ?\n\nRéponds en un mot."),
    Turn("assistant", "Personne."),
)
TEXT = "la séance est ouverte, M. Arnaud préside ; qui préside la séance ? personne, élu en 2031. " * 20


def untagged(template):
    return re.sub(r"\{% (end)?generation %\}", "", template)


def write_chat_tokenizer(folder, template, *, trim=False, gpt2=False):
    """A small byte-level tokenizer with a template; `gpt2`: it cuts as that of GPT-2 does."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False) if gpt2 else byte_level()
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=trim)
    trainer = trainers.BpeTrainer(
        vocab_size=360, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator([TEXT, *["a\n\n"] * 99], trainer)
    special = ["<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|start|>", "<|stop|>"]
    tokenizer.add_special_tokens([AddedToken(mark, special=True, normalized=False) for mark in special])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    if template is not None:
        (folder / "chat_template.jinja").write_text(template, "utf-8")
    return folder
