"""tools/browser.py: a browser is found or named, and never silently missing."""

import urllib.request

import browser
import bubblewrap
import pytest


def test_a_command_that_fails_is_no_browser(tmp_path):
    shell = tmp_path / "chromium-browser"  # as on Ubuntu: says what to install, and fails
    shell.write_text("#!/bin/sh\necho 'needs a snap'\nexit 10\n")
    shell.chmod(0o755)
    assert not browser.runs(str(shell))
    assert not browser.runs(str(tmp_path / "nothing"))


def test_the_named_browser_comes_first(tmp_path, monkeypatch):
    named = tmp_path / "my-chromium"
    named.write_text("#!/bin/sh\necho Chromium 1\n")
    named.chmod(0o755)
    monkeypatch.setenv("CHROMIUM", str(named))
    assert browser.find_browser() == str(named)


def test_a_wrong_name_is_told(monkeypatch):
    monkeypatch.setenv("CHROMIUM", "/no/such/browser")
    with pytest.raises(SystemExit, match="CHROMIUM=/no/such/browser is not a browser"):
        browser.main()


def test_one_clear_line_when_there_is_none(monkeypatch):
    tried = []
    monkeypatch.setattr(browser, "find_browser", lambda: None)
    monkeypatch.setattr(browser, "install_browser", lambda: tried.append(True))
    with pytest.raises(SystemExit, match="^The page tests need a browser and none could be") as end:
        browser.main()
    assert tried == [True]
    assert "\n" not in str(end.value)


def test_a_proxy_does_not_catch_calls_to_this_machine(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://proxy.invalid:3128")
    for host in ("127.0.0.1", "127.0.0.1:8888", "localhost"):
        assert urllib.request.proxy_bypass(host)
    assert not urllib.request.proxy_bypass("example.org")


def test_where_no_sandbox_can_be_made_one_line_says_what_is_skipped(monkeypatch, capsys):
    monkeypatch.setattr("sys.platform", "darwin")
    bubblewrap.main()
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("SKIPPED: the tests of grading")
