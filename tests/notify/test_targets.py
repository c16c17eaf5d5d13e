"""Each kind of target is told, by the real library over real connections; trouble is one line."""

import time
from dataclasses import replace

import pytest

from nocturna.notify import LIMIT_SECONDS, Ending, missing_addresses, tell_all
from nocturna.tasks.job.targets import Target
from tests.listeners import mail_server, silent_server, tls_proxy, web_hook

ENDING = Ending(
    event="failure",
    job="prensa",
    run_id="20260101T020000-0badcafe",
    outcome="failed",
    cause="datos/*.csv: no such file; labels <!channel> & <at>todos</at>",
    counts={"read": 1200, "scored": 1100},
    seconds=12.5,
    more="nocturna runs show 20260101T020000-0badcafe",
    host="noche",
)
SECRET = "canary-7781"


def told(address: str, monkeypatch, ending: Ending = ENDING) -> list[str]:
    monkeypatch.setenv("NOCTURNA_HOOK", address)
    return tell_all([Target(url_env="NOCTURNA_HOOK")], ending)


def test_a_plain_web_hook_gets_a_json_object_with_the_facts(monkeypatch):
    with web_hook() as heard:
        address = f"http://127.0.0.1:{heard.port}/a%20b?key=1&empty="
        assert told(address, monkeypatch) == []
    path, body = heard.requests[0]
    assert path == "/a%20b?key=1&empty="
    assert body["title"] == "Nocturna: prensa failed"
    assert body["type"] == "failure"
    assert body["message"].splitlines() == [
        f"Cause: {ENDING.cause}",
        "Run: 20260101T020000-0badcafe on noche, 12.5 s",
        "Rows: 1,200 read, 1,100 scored",
        "More: nocturna runs show 20260101T020000-0badcafe",
    ]
    facts = ("event", "job", "run_id", "outcome", "cause", "counts", "seconds", "more", "host")
    assert {name: body[name] for name in facts} == {n: getattr(ENDING, n) for n in facts}


def test_a_cause_that_is_long_or_no_utf_8_is_told(monkeypatch):
    cause = f"caf\udce9.csv: {'x' * 5000}"
    with web_hook() as heard:
        address = f"http://127.0.0.1:{heard.port}/"
        assert told(address, monkeypatch, replace(ENDING, cause=cause)) == []
    ((_, body),) = heard.requests
    assert body["cause"].startswith("caf\\udce9.csv: xxx") and len(body["cause"]) < 2100


def through_proxy(host: str, address: str, tmp_path, monkeypatch):
    with tls_proxy(host, tmp_path) as (heard, certificate):
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{heard.port}")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        assert told(address, monkeypatch) == []
    assert heard.host == f"{host}:443"
    return heard.requests[0]


def test_slack_gets_its_own_form_and_nobody_is_mentioned(monkeypatch, tmp_path):
    address = "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7"
    path, body = through_proxy("hooks.slack.com", address, tmp_path, monkeypatch)
    assert path == "/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7"
    message = body["attachments"][0]
    assert message["title"] == "Nocturna: prensa failed"
    assert "labels &lt;!channel&gt; &amp; &lt;at&gt;todos" in message["text"]
    assert "http" not in str(body), "pictures from elsewhere"


def test_teams_gets_a_card_and_nobody_is_mentioned(monkeypatch, tmp_path):
    host = "prod-01.westus.logic.azure.com"
    address = (
        f"https://{host}:443/workflows/643e69f83c8944438d68119179a10a64/triggers/manual/paths/"
        "invoke?api-version=2016-06-01&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=KODuebWbDGYFr0z0eu"
    )
    path, body = through_proxy(host, address, tmp_path, monkeypatch)
    assert path.startswith("/workflows/643e69f83c8944438d68119179a10a64/triggers/manual/paths/")
    assert "sig=KODuebWbDGYFr0z0eu" in path
    card = body["attachments"][0]["content"]
    assert card["type"] == "AdaptiveCard"
    assert [block["type"] for block in card["body"]] == ["TextBlock", "TextBlock"]
    assert "Rows: 1,200 read, 1,100 scored\n\nMore" in card["body"][1]["text"]
    assert "entities" not in card["msteams"]


def test_a_mailbox_gets_a_mail(monkeypatch):
    with mail_server() as heard:
        address = (
            f"mailto://batch:{SECRET}@127.0.0.1:{heard.port}?mode=insecure"
            "&from=noche@example.org&to=ana@example.org,luis@example.org"
        )
        assert told(address, monkeypatch) == []
    assert heard.logins == [f"\0batch\0{SECRET}"]
    assert [mail["To"] for mail in heard.mails] == ["ana@example.org", "luis@example.org"]
    mail = heard.mails[0]
    assert mail["Subject"] == "Nocturna: prensa failed"
    assert "noche@example.org" in mail["From"]
    assert mail.get_body(("plain",)).get_content().splitlines() == ENDING.body.splitlines()


def test_only_those_are_told_who_want_to_know(monkeypatch):
    with web_hook() as heard:
        monkeypatch.setenv("NOCTURNA_HOOK", f"http://127.0.0.1:{heard.port}/")
        wants = [
            Target(url_env="NOCTURNA_HOOK", events=("success",)),
            Target(url_env="NOCTURNA_HOOK"),
        ]
        assert tell_all(wants, ENDING) == []
    assert len(heard.requests) == 1


@pytest.mark.parametrize(
    ("address", "why"),
    [
        (f"http://127.0.0.1:1/{SECRET}", "it does not answer, or refuses"),
        (
            f"mailto://batch:{SECRET}@127.0.0.1:1?from=b@example.org&to=a@example.org",
            "it does not answer, or refuses",
        ),
        (f"nowhere://{SECRET}", "holds no address that can be used"),
        (f"{SECRET}", "holds no address that can be used"),
        (f"http://127.0.0.1:nn/{SECRET}", "holds no address that can be used"),
        (f"https://hooks.slack.com/services/{SECRET}", ""),
        ("", "the environment has no NOCTURNA_HOOK"),
    ],
)
def test_an_address_that_does_not_work_is_one_line_without_the_address(address, why, monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    lines = told(address, monkeypatch)
    assert len(lines) == 1
    assert lines[0].startswith("notify: NOCTURNA_HOOK: not told of run 20260101T020000-0badcafe: ")
    assert why in lines[0]
    assert SECRET not in lines[0]
    assert "\n" not in lines[0]


def test_a_server_that_refuses_or_is_silent_costs_seconds_and_no_other_target(monkeypatch, capfd):
    start = time.monotonic()
    moved, broken = web_hook(302), web_hook(503)
    with moved as moved, broken as broken, silent_server() as silent, web_hook() as heard:
        monkeypatch.setenv("MOVED", f"http://127.0.0.1:{moved.port}/{SECRET}")
        monkeypatch.setenv("BROKEN", f"http://127.0.0.1:{broken.port}/{SECRET}")
        monkeypatch.setenv("SILENT", f"http://127.0.0.1:{silent}/{SECRET}")
        monkeypatch.setenv(
            "MUTE", f"mailto://a:{SECRET}@127.0.0.1:{silent}?from=b@example.org&to=a@example.org"
        )
        monkeypatch.setenv("WELL", f"http://127.0.0.1:{heard.port}/")
        names = ("BROKEN", "SILENT", "MUTE", "MOVED", "WELL")
        lines = tell_all([Target(url_env=name) for name in names], ENDING)
    assert time.monotonic() - start < LIMIT_SECONDS + 2
    assert len(heard.requests) == 1
    assert [line.split(": ")[1] for line in lines] == ["BROKEN", "SILENT", "MUTE", "MOVED"]
    assert "the server answered 503" in lines[0] and "the server answered 302" in lines[3]
    assert SECRET not in str(lines) + "".join(capfd.readouterr())


def test_a_file_holds_the_address_if_only_its_owner_can_read_it(tmp_path):
    file = tmp_path / "hook"
    target = Target(url_file=str(file))
    assert "cannot be read" in missing_addresses([target])[0]
    with web_hook() as heard:
        file.write_text(f"http://127.0.0.1:{heard.port}/\n")
        file.chmod(0o640)
        assert missing_addresses([target]) == [f"notify: {file}: others can read it; chmod 600 it"]
        file.chmod(0o600)
        assert missing_addresses([target]) == []
        assert tell_all([target], ENDING) == []
    assert len(heard.requests) == 1
