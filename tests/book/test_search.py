"""The search of the built book, asked in the words of people who do not know the class's name."""

import re
from urllib.parse import urldefrag, urlencode, urljoin

import pytest
from conftest import ROOT

BOOK = ROOT / "_build" / "html"
if not (BOOK / "search.html").exists():
    pytest.exit("There is no built book to test: run make book", returncode=1)

SHOWN_FIRST = 3  # the right page must be among so many

# Question to the pages that answer it, as they are called in chapters/.
QUESTIONS = {
    "cosine annealing": "cosine_annealing_lr",
    "cosine decay": "cosine_annealing_lr",
    "cosine learning rate": "cosine_annealing_lr",
    "warm restarts": "cosine_annealing_warm_restarts",
    "cosine with restarts": "cosine_annealing_warm_restarts",
    "sgdr": "cosine_annealing_warm_restarts",
    "one cycle": "one_cycle_lr",
    "1cycle policy": "one_cycle_lr",
    "onecycle": "one_cycle_lr",
    "super convergence": "one_cycle_lr",
    "warmup": "linear_lr",
    "warm up": "linear_lr",
    "learning rate warm-up": "linear_lr",
    "linear warmup": "linear_lr",
    "constant warmup": "constant_lr",
    "warm up then cosine": "sequential_lr warmup_cosine",
    "cosine schedule with warmup": "sequential_lr warmup_cosine",
    "cosine with warmup": "warmup_cosine",
    "warmup then linear decay to zero": "warmup_cosine",
    "inverse square root": "warmup_cosine",
    "learning rate schedule for large language models": "warmup_cosine warmup_stable_decay",
    "first step learning rate zero": "warmup_cosine",
    "restarts with warmup": "warmup_restarts",
    "warmup stable decay": "warmup_stable_decay",
    "wsd": "warmup_stable_decay",
    "loss explodes": "glossary linear_lr cyclic_lr",
    "loss becomes nan": "glossary linear_lr reduce_lr_on_plateau",
    "how long should the cooldown be": "warmup_stable_decay",
    "1-sqrt": "warmup_stable_decay",
    "train longer than planned": "which_clock warmup_stable_decay",
    "trapezoidal schedule": "warmup_stable_decay",
    "schedule free": "warmup_stable_decay",
    "optimal learning rate schedule": "best_schedule",
    "short horizon bias": "best_schedule",
    "get_cosine_schedule_with_warmup": "libraries warmup_cosine",
    "timm CosineLRScheduler": "libraries",
    "optax warmup_cosine_decay_schedule": "libraries",
    "keras CosineDecay": "libraries",
    "lightning configure_optimizers interval": "libraries",
    "combine two schedulers": "sequential_lr chained_scheduler",
    "two schedulers one after another": "sequential_lr",
    "multiple schedulers at the same time": "chained_scheduler",
    "reduce lr when validation loss stops improving": "reduce_lr_on_plateau",
    "reduce learning rate on plateau": "reduce_lr_on_plateau",
    "patience": "reduce_lr_on_plateau",
    "step decay": "step_lr",
    "decay every 30 epochs": "step_lr",
    "staircase": "step_lr",
    "drop learning rate at epoch 30 and 60": "multi_step_lr",
    "piecewise constant": "multi_step_lr",
    "exponential decay": "exponential_lr",
    "polynomial decay": "polynomial_lr",
    "poly lr": "polynomial_lr",
    "linear decay": "linear_lr polynomial_lr",
    "constant learning rate": "constant_lr",
    "triangular learning rate": "cyclic_lr",
    "cyclical learning rates": "cyclic_lr",
    "learning rate finder": "peak_rate cyclic_lr",
    "lr range test": "peak_rate cyclic_lr",
    "stochastic weight averaging": "swa_lr",
    "swa": "swa_lr",
    "get current learning rate": "stepping",
    "print learning rate": "stepping",
    "log the learning rate": "stepping",
    "plot learning rate schedule": "stepping",
    "resume training scheduler": "stepping",
    "save scheduler state": "stepping",
    "load checkpoint learning rate": "stepping",
    "scheduler step per batch or per epoch": "stepping which_clock",
    "lr_scheduler.step() before optimizer.step() warning": "stepping stepping_reference",
    "mixed precision": "stepping which_clock",
    "gradscaler warning": "stepping which_clock",
    "gradscaler skipped step": "which_clock",
    "gradient accumulation": "which_clock one_cycle_lr",
    "learning rate decays too fast on multiple gpus": "which_clock",
    "resume in the middle of an epoch": "which_clock",
    "train more epochs than planned": "which_clock warmup_stable_decay",
    "torch.compile learning rate tensor": "which_clock",
    "freeze layers": "stepping_reference",
    "set learning rate manually": "by_hand",
    "change learning rate during training": "by_hand",
    "different learning rates per layer": "by_hand lambda_lr",
    "parameter groups": "by_hand",
    "custom scheduler": "lambda_lr warmup_restarts",
    "write my own learning rate schedule": "lambda_lr warmup_restarts",
    "inverse square root schedule transformer": "lambda_lr warmup_cosine",
    "multiply the learning rate by 0.95 each epoch": "multiplicative_lr exponential_lr",
    "which scheduler should I use": "which_scheduler",
    "which scheduler for fine tuning": "which_scheduler",
    "schedule for finetuning a pretrained model": "which_scheduler",
    "hyperparameter sweep": "which_scheduler peak_rate",
    "unknown training length": "which_scheduler warmup_stable_decay glossary",
    "best learning rate scheduler": "cifar_comparison best_schedule",
    "AdamW": "adamw",
    "adamw weight decay learning rate schedule": "adamw",
    "does the scheduler change weight decay": "adamw",
    "no weight decay for bias and layernorm": "adamw",
    "betas onecyclelr": "adamw one_cycle_lr",
    "decoupled weight decay": "adamw",
    "batch size": "batch_size",
    "learning rate when I double the batch size": "batch_size",
    "linear scaling rule": "batch_size",
    "square root scaling adam": "batch_size",
    "critical batch size": "batch_size",
    "loss sum or mean learning rate": "batch_size",
    "how do I choose the learning rate": "peak_rate",
    "lr_find": "peak_rate",
    "how to choose a good learning rate": "peak_rate",
    "find the best learning rate": "peak_rate cifar_comparison",
    "what learning rate should I start with": "peak_rate",
    "max_lr for one cycle": "peak_rate one_cycle_lr",
    "best peak learning rate": "peak_rate",
    "what is an epoch": "glossary stepping",
    "grade exercises": "teaching",
    "decrease learning rate over time": "glossary index",
    "T_max": "cosine_annealing_lr",
    "Noam": "lambda_lr warmup_cosine",
    "verbose deprecated": "stepping_reference",
    "weights_only": "stepping_reference",
    "bfloat16": "which_clock",
    "several processes": "which_clock",
    "playground": "playground",
    "draw a schedule": "playground",
    "scheduler called too many times": "one_cycle_lr",
    # misspelled, or not written out
    "cosine anealing": "cosine_annealing_lr",
    "schedular": "stepping glossary",
    "CosineAnn": "cosine_annealing_lr",
    "get_last_lr": "stepping",
    "last_epoch=-1": "stepping_reference sequential_lr swa_lr chained_scheduler",
}

# What a reader sees of the results: for each its link, its text and the words marked in it.
RESULTS = """() => [...document.querySelectorAll("ul.search > li")].map(item => ({
  link: item.querySelector("a").href,
  title: item.querySelector("a").textContent,
  text: item.innerText,
  marks: [...item.querySelectorAll("mark")].map(mark => mark.textContent),
}))"""
STATUS = "() => document.querySelector('.search-summary').textContent"

# Each mark: its text, whether it lies in view, and whether in the section that the link names.
MARKS = """() => [...document.querySelectorAll("mark")].map(mark => {
  const box = mark.getBoundingClientRect();
  const seen = box.top >= 0 && box.bottom <= innerHeight;
  const section = mark.closest("section").id;
  return { text: mark.textContent, seen, there: section === location.hash.slice(1) };
})"""


def name(link):
    """The page of a link, as it is called in chapters/."""
    return re.search(r"/chapters/(\w+)\.html", link)[1]


@pytest.fixture(scope="module")
def tab(browser):
    """A page opened from disk, in a window as high as a laptop's."""
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.trouble = []
    page.on("pageerror", lambda error: page.trouble.append(str(error)))
    page.on("console", lambda line: line.type == "error" and page.trouble.append(line.text))
    yield page
    page.close()


def ask(tab, question):
    """Open the page of results; return them."""
    tab.goto((BOOK / "search.html").as_uri() + "?" + urlencode({"q": question}))
    tab.wait_for_selector(".search-summary")
    assert tab.trouble == []
    return tab.evaluate(RESULTS)


@pytest.fixture(scope="module")
def answers(browser):
    """The results of all questions, asked on one page: the index is made once."""
    page = browser.new_page()
    page.goto((BOOK / "search.html").as_uri())
    found = {}
    for question in QUESTIONS:
        page.evaluate("question => Search.performSearch(question)", question)
        found[question] = page.evaluate(RESULTS)
    page.close()
    return found


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_right_page_is_among_the_first(question, answers):
    first = [name(result["link"]) for result in answers[question][:SHOWN_FIRST]]
    assert set(first) & set(QUESTIONS[question].split()), first


def test_questions_name_pages_of_the_book():
    pages = {page for pages in QUESTIONS.values() for page in pages.split()}
    assert [page for page in pages if not (BOOK / "chapters" / f"{page}.html").exists()] == []


def test_every_result_leads_to_a_section_and_shows_text_without_junk(answers):
    files = {}
    for question, results in answers.items():
        assert results, question
        for result in results:
            file, anchor = urldefrag(result["link"])
            page = files.setdefault(name(file), (BOOK / f"chapters/{name(file)}.html").read_text())
            assert f'id="{anchor}"' in page, result["link"]
            text = result["text"].removeprefix(result["title"])
            junk = r"\\[a-z({]|\{(?!\d)|(?<!\d)\}|\$|\bconst |\bfunction\b.*=>|base64|</?\w+>"
            junk += "|Open in Colab|import "
            assert not re.search(junk, text), (question, text)
            assert len(text.split()) >= 4 and "# Contents" not in text, (question, result)


FOLLOWED = {
    "cosine annealing": "annealing",
    "warm up": "warm-up",  # spelled otherwise there
    "mixed precision": "mixed",
    "get_last_lr": "get_last_lr",
    "schedular": "scheduler",
    "GradScaler": "GradScaler",
}


@pytest.mark.parametrize("question", FOLLOWED)
def test_a_result_leads_to_the_words_and_marks_them(question, tab):
    first = ask(tab, question)[0]
    assert first["marks"], "the summary marks the words"
    tab.locator("ul.search > li > a").first.click()
    tab.wait_for_load_state("load")
    assert tab.url == urljoin(tab.url, first["link"])
    tab.evaluate("() => document.fonts.ready.then(() => new Promise(requestAnimationFrame))")
    marks = tab.evaluate(MARKS)
    assert any(mark["seen"] for mark in marks), marks
    assert all(mark["there"] for mark in marks), marks
    assert FOLLOWED[question].lower() in {mark["text"].lower() for mark in marks}
    assert tab.trouble == []


def test_every_page_takes_a_question(tab):
    """From the field that the button in the menu opens."""
    tab.goto((BOOK / "chapters" / "step_lr.html").as_uri())
    tab.locator("button.search-button__button:visible").first.click()
    tab.locator("#pst-search-dialog input").fill("warm restarts")
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/search.html?q=warm+restarts")
    tab.wait_for_selector("ul.search > li")
    assert name(tab.evaluate(RESULTS)[0]["link"]) == "cosine_annealing_warm_restarts"


def test_no_result_says_what_to_try(tab):
    assert ask(tab, "frobnicate <quux>") == []
    status = tab.evaluate(STATUS)
    assert "No page has these words" in status and "“frobnicate”" in status and "Try" in status


def test_words_that_no_page_has_are_named(tab):
    results = ask(tab, "cosine frobnicate")
    assert name(results[0]["link"]) in ("cosine_annealing_lr", "cosine_annealing_warm_restarts")
    status = tab.evaluate(STATUS)
    assert "No page has all of these words" in status and "“frobnicate”" in status


@pytest.mark.parametrize("question", ["", "...", "the", "a to the", "-", "%s \\ ' \"", "x" * 3000])
def test_any_question_gets_an_answer(question, tab):
    if "search.html" not in tab.url:
        tab.goto((BOOK / "search.html").as_uri())
    tab.evaluate("question => Search.performSearch(question)", question)
    assert "page" in tab.evaluate(STATUS)
    assert tab.trouble == []


@pytest.mark.parametrize("width", [360, 1280])
def test_results_fit_the_window(width, tab):
    tab.set_viewport_size({"width": width, "height": 740})
    ask(tab, "reduce lr when validation loss stops improving")
    assert tab.evaluate("() => document.scrollingElement.scrollWidth") <= width
    box = tab.locator("ul.search > li > a").first.bounding_box()
    assert box["y"] < 740 and box["x"] >= 0 and box["x"] + box["width"] <= width
    # nothing lies over it
    hit = "b => document.elementFromPoint(b.x + 20, b.y + 8).closest('ul.search') !== null"
    assert tab.evaluate(hit, box)
