"""Template keys and fill hashes: equal where they should be, different where they must be, mergeable exactly."""

from __future__ import annotations

import importlib.util
import random
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.model import InputRefused, UsageError
from stillwatch.sketch.templates import TemplateCounts, TemplateKeys, key_prompts
from stillwatch.sketch.text import SketchKey

KEY = SketchKey.from_secret(b"test")
SIZE = 20
CHANCE = random.Random(5)
VOCABULARY = ["".join(CHANCE.choices("abcdefghijklmnopqrstuvwxyz", k=CHANCE.randint(2, 9))) for _ in range(20_000)]


def words(count: int, chance: random.Random) -> str:
    return " ".join(chance.choices(VOCABULARY, k=count))


def sketch(prompts: list[str], log2_size: int = SIZE) -> TemplateKeys:
    column = pa.array(prompts)
    counts = TemplateCounts(KEY, log2_size)
    counts.fold(column)
    return key_prompts(counts, column)


def fills(template: str, count: int, length: int = 30, seed: int = 1) -> list[str]:
    chance = random.Random(f"{template} {seed}")
    return [template.replace("{}", words(length, chance)) for _ in range(count)]


FRAMES = {
    "english": "Please rewrite the following passage in a formal tone: {} Return only the passage.",
    "chinese": "请把下面这段话翻译成正式的英文，不要添加任何解释：{} 只输出译文。",
    "thai": "โปรดแปลข้อความต่อไปนี้เป็นภาษาอังกฤษอย่างเป็นทางการ: {}",
    "arabic": "من فضلك أعد كتابة النص التالي بأسلوب رسمي وموجز: {} لا تضف أي شرح",
    "russian": "Пожалуйста, переведи следующий текст на официальный английский язык: {} Только перевод.",
    "hindi": "कृपया निम्नलिखित पाठ को औपचारिक शैली में फिर से लिखें: {} केवल पाठ लौटाएं",
}


@pytest.mark.parametrize("script", FRAMES)
def test_a_template_of_any_script_has_one_key_and_each_fill_its_own_hash(script: str) -> None:
    keys = sketch(fills(FRAMES[script], 60))
    assert len(set(keys.template_key)) == 1
    assert keys.template_key[0] != 0
    assert len(set(keys.fill_hash)) == 60


def test_five_paraphrases_have_five_keys_and_an_item_one_fill_hash() -> None:
    frames = [
        "Solve the problem below and show every step of your work: {}",
        "Here is an exercise; think it through carefully, then answer: {}",
        "As an expert tutor, work out the answer to this question: {}",
        "{} Give a complete worked solution to the task stated above.",
        "Consider this exam item and explain your reasoning in full: {} End with the answer.",
    ]
    chance = random.Random(3)
    pool = [words(25, chance) for _ in range(50)]
    keys = sketch([frame.replace("{}", item) for frame in frames for item in pool])
    assert [len(set(keys.template_key[at : at + 50])) for at in range(0, 250, 50)] == [1] * 5
    assert len(set(keys.template_key)) == 5
    same = keys.fill_hash.reshape(5, 50)
    assert (same == same[0]).mean() > 0.95
    assert len(set(same[0])) == 50


def test_a_private_frame_behind_a_popular_preamble_names_the_prompt() -> None:
    preamble = "You are a helpful assistant and you answer briefly and politely. "
    frame = "Take the theorem below and derive three harder variants, each with a full formal proof: {}"
    strangers = [preamble + words(20, random.Random(at)) for at in range(1000)]
    keys = sketch(strangers + fills(preamble + frame, 60))
    assert len(set(keys.template_key[:1000])) == 1
    assert len(set(keys.template_key[1000:])) == 1
    assert keys.template_key[0] != keys.template_key[1000]


def test_a_categorical_slot_changes_neither_key_nor_the_rest_of_the_frame() -> None:
    chance = random.Random(2)
    prompts = [
        f"Write a short story in {language} about the following topic, at most ten lines long: {words(20, chance)}"
        for _ in range(60)
        for language in ("French", "German", "Swahili", "Old Norse")
    ]
    assert len(set(sketch(prompts).template_key)) == 1


def test_items_asked_again_by_many_share_the_template_and_keep_their_own_fill_hash() -> None:
    chance = random.Random(4)
    items = [words(25, chance) for _ in range(20)]
    prompts = [f"Answer the following benchmark question with one letter only: {item}" for item in items * 40]
    keys = sketch(prompts)
    assert len(set(keys.template_key)) == 1
    assert len(set(keys.fill_hash)) == 20


def test_digits_are_masked_in_the_key_and_told_apart_in_the_fill() -> None:
    keys = sketch([f"What is the square root of {at} rounded to {at % 7} decimal places?" for at in range(1000, 1060)])
    assert len(set(keys.template_key)) == 1
    assert len(set(keys.fill_hash)) == 60


def test_full_width_letters_do_not_hide_a_template() -> None:
    plain = "please rewrite the following passage in a formal tone"
    wide = "".join(chr(ord(char) + 0xFEE0) if char != " " else "\u3000" for char in plain)
    keys = sketch(fills(plain + ": {}", 40) + fills(wide + ": {}", 40, seed=2))
    assert len(set(keys.template_key)) == 1


def test_a_frame_of_four_words_is_enough_and_short_prompts_are_keyed_when_frequent() -> None:
    assert len(set(sketch(fills("Summarise the following text: {}", 60)).template_key)) == 1
    keys = sketch(["hello"] * 40 + ["hi there"] * 40 + ["ok"] * 3)
    assert keys.template_key[0] == keys.template_key[39]
    assert keys.template_key[-1] == 0


def test_nulls_empty_prompts_and_rare_prompts_have_no_template() -> None:
    column = pa.array([None, "", "!!!", "a rare prompt that nobody else writes at all"])
    counts = TemplateCounts(KEY, SIZE)
    counts.fold(column)
    keys = key_prompts(counts, column)
    assert keys.template_key.tolist() == [0, 0, 0, 0]
    assert keys.fill_hash[0] == 0
    assert np.count_nonzero(keys.fill_hash) == 3
    assert keys.frame_permille.tolist() == [0, 0, 0, 0]
    assert counts.prompts == 3


def test_matrices_and_laughter_are_no_template() -> None:
    chance = random.Random(6)
    grids = [" ".join(str(chance.randrange(10)) for _ in range(50)) for _ in range(60)]
    laughter = [words(8, chance) + " ha" * 40 + " " + words(8, chance) for _ in range(60)]
    assert not sketch(grids + laughter).template_key.any()


def test_the_share_of_the_frame_is_told() -> None:
    keys = sketch(fills("one two three four five six seven eight {}", 50, length=8))
    assert (keys.frame_permille == 500).all()


PROMPTS = st.lists(
    st.one_of(st.none(), st.text(max_size=40), st.sampled_from(["the same prompt again and again", "ha ha ha ha ha"])),
    max_size=30,
)


@given(PROMPTS, st.integers(0, 30), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_merging_parts_in_any_order_equals_one_batch(
    prompts: list[str | None], cut: int, chance: random.Random
) -> None:
    whole = TemplateCounts(KEY, 12)
    whole.fold(pa.array(prompts, pa.string()))
    shuffled = [*prompts]
    chance.shuffle(shuffled)
    one, two = TemplateCounts(KEY, 12), TemplateCounts(KEY, 12)
    one.fold(pa.array(shuffled[:cut], pa.string()))
    two.fold(pa.array(shuffled[cut:], pa.string()))
    two.merge(one)
    assert (two.counters == whole.counters).all()
    assert (two.prompts, two.shingles) == (whole.prompts, whole.shingles)


@given(st.lists(st.binary(max_size=50), max_size=6))
@settings(max_examples=60, deadline=None)
def test_any_bytes_are_counted_and_keyed(values: list[bytes]) -> None:
    raw = pa.array(values * 40, pa.binary())
    column = pa.Array.from_buffers(pa.string(), len(raw), raw.buffers())
    counts = TemplateCounts(KEY, 12)
    counts.fold(column)
    keys = key_prompts(counts, column)
    assert counts.counters.sum() == counts.shingles
    assert np.count_nonzero(keys.fill_hash) == len(raw)


def test_keys_do_not_depend_on_batches_or_slices() -> None:
    column = pa.array(["skipped", *fills(FRAMES["english"], 50), *fills(FRAMES["chinese"], 50)])[1:]
    counts = TemplateCounts(KEY, SIZE)
    counts.fold(column)
    whole = key_prompts(counts, column)
    parts = [key_prompts(counts, column[at : at + 7]) for at in range(0, len(column), 7)]
    assert np.concatenate([part.template_key for part in parts]).tolist() == whole.template_key.tolist()
    assert np.concatenate([part.fill_hash for part in parts]).tolist() == whole.fill_hash.tolist()


def test_sketches_of_other_keys_or_sizes_do_not_merge() -> None:
    with pytest.raises(UsageError, match="same settings"):
        TemplateCounts(KEY, 12).merge(TemplateCounts(SketchKey.from_secret(b"another"), 12))
    with pytest.raises(UsageError, match="same settings"):
        TemplateCounts(KEY, 12).merge(TemplateCounts(KEY, 13))
    with pytest.raises(UsageError, match="log2_size"):
        TemplateCounts(KEY, 4)


def test_a_saved_sketch_reads_back_and_only_with_its_key(tmp_path: Path) -> None:
    counts = TemplateCounts(KEY, 12)
    counts.fold(pa.array(fills(FRAMES["english"], 5)))
    path = tmp_path / "counts.npz"
    counts.save(path)
    back = TemplateCounts.load_from(path, KEY)
    assert (back.counters == counts.counters).all()
    assert (back.prompts, back.shingles) == (counts.prompts, counts.shingles)
    with pytest.raises(UsageError, match="another key"):
        TemplateCounts.load_from(path, SketchKey.from_secret(b"another"))
    path.write_bytes(b"not a sketch")
    with pytest.raises(InputRefused, match="not a template sketch"):
        TemplateCounts.load_from(path, KEY)


def modal_share(keys: np.ndarray) -> float:
    values, counts = np.unique(keys[keys != 0], return_counts=True)
    return float(counts.max() / keys.size) if values.size else 0.0


def pairs_of(values: np.ndarray) -> int:
    counts = np.unique(values, return_counts=True)[1].astype(np.int64)
    return int((counts * (counts - 1) // 2).sum())


def test_composed_templates_meet_the_bar() -> None:
    """Frames of 12 words in fills of 48 (20 %), text with the skew of natural language, and people's own prompts."""
    chance = random.Random(8)
    skewed = [VOCABULARY[int(20_000 ** chance.random()) - 1] for _ in range(200_000)]  # Zipf's law

    def text(count: int) -> list[str]:
        at = chance.randrange(len(skewed) - count)
        return skewed[at : at + count]

    prompts, template = [], []
    for number in range(40):
        frame = text(12)
        cut = chance.choice((0, 6, 12))
        for _ in range(50):
            prompts.append(" ".join(frame[:cut] + text(48) + frame[cut:]))
            template.append(number)
    people = [" ".join(text(30)) for _ in range(2000)]
    keys = sketch(prompts + people).template_key
    groups = np.array(template + [40 + at for at in range(len(people))])
    shared = np.mean([modal_share(keys[groups == number]) for number in range(40)])
    real = keys != 0
    both = np.unique(np.stack([keys[real], groups[real]]), axis=1, return_inverse=True)[1]
    unrelated = pairs_of(keys[real]) - pairs_of(both)
    assert shared >= 0.95
    assert unrelated / (pairs_of(np.zeros(keys.size)) - pairs_of(groups)) <= 1e-4


def benchmark() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "sketch.py"
    spec = importlib.util.spec_from_file_location("benchmark_sketch", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_real_templates_filled_with_real_seeds_meet_the_bar() -> None:
    bench = benchmark()
    if not (bench.data_folder() / "prompts").is_dir():
        pytest.skip("the real material is absent; point STILLWATCH_DATA at its folder")
    corpus = bench.compose((("judge", "generator"), ("gpteacher_roleplay", "awesome_prompts")), fills=50)
    keys, rates = bench.measure(corpus)
    together, total = bench.unrelated_rate(keys.template_key, corpus.family)
    assert np.mean([of_pairs for of_pairs, _ in rates["all at 20 %"]]) >= 0.95
    assert together / total <= 1e-4
