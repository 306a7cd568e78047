"""Devices by the ways their makers name models: televisions, boxes, laptops, cars, watches, consoles, telephones."""

import pytest

from castline.measure.agents.classifier import classify_agent

_CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/98.0.4758.87"
_TIZEN = ("mobile", "Other Mobile Device", "tizen")


def _android(model: str, *, mobile: bool = False) -> str:
    return f"Mozilla/5.0 (Linux; Android 11; {model}) {_CHROME}{' Mobile' if mobile else ''} Safari/537.36"


@pytest.mark.parametrize(
    "text",
    [
        *(_android(model) for model in ("QX-LED43M11SU", "QX_32LED50S", "QTV43FX21", "LT-55QX8001S")),
        *(_android(model) for model in ("QXTV", "QX_TV_D4906", "iTV777", "QX4K", "QX_4K_C", "STB0777")),
        *(_android(model, mobile=True) for model in ("H-LED50QX7001", "Quiet Streaming Stick 900", "YNDX-00099")),
        "Dalvik/2.1.0 (Linux; U; Android 9; ATV-100 Build/PI)",
        "Opera/9.80 (Linux mips; ) Presto/2.12.407 Version/12.51 QX95/3.6.6 (QUIET, Si2157LG32, wireless)",
        "OPR/19.0.1325.0 OMI/4.1.4.54, KreaTV/15.99.2.1 (QUIET, QX1100P2, wired)",
        "BrightSign/8.0.48 (QX424)Mozilla/5.0 (X11; Linux aarch64) AppleWebKit/537.36 QtWebEngine/5.11.2",
        "TiviMate/4.7.0 (Quiet Player; Android 12)",
    ],
)  # fmt: skip
def test_a_television_is_told_by_its_makers_ways_of_naming(text: str) -> None:
    assert classify_agent(text).device_type == "smart_tv"


@pytest.mark.parametrize(
    "text",
    [
        *(_android(model, mobile=True) for model in ("SM-G928K", "4014K", "HTV32", "Lenovo K50a40", "Odyssey_DTV6")),
        *(_android(model, mobile=True) for model in ("SM-S921B Build/UP1A.43TV1", "LEDO 5", "XT920")),
        "Quiet/3.1 (Apple; iPhone; iPhone OS/17.1.2)",
    ],
)
def test_a_telephone_is_no_television(text: str) -> None:
    assert classify_agent(text).device_type == "mobile"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (_android("Inspiron 7777"), ("desktop", "Other Computer", "android")),
        (_android("TravelMate Q118-M"), ("desktop", "Other Computer", "android")),
        (f"Mozilla/5.0 (PC; OpenHarmony 5.0; HarmonyOS 5.0) {_CHROME}", ("desktop", "Other Computer", None)),
        (_android("Quiet Head Unit"), ("car", "Smart Car", "android")),
        (_android("OW27W3", mobile=True), ("watch", "Other Watch", "android")),
        (_android("Retroid Pocket 7", mobile=True), ("console", "Other Console", "android")),
        ("Dalvik/2.1.0 (Linux; U; Android 12; QUI2-W09 Build/Q)", ("mobile", "Android Tablet", "android")),
        ("Quiet/1 (Linux;Android 11; TB-X777F) ExoPlayerLib/2.19.1", ("mobile", "Android Tablet", "android")),
        (f"Mozilla/5.0 (X11; U; Linux x86_64; en-US) {_CHROME} Puffin/9.7IP", ("mobile", "Apple iPhone", "ios")),
        (f"Mozilla/5.0 (X11; U; Linux x86_64; en-US) {_CHROME} Puffin/9.7IT", ("mobile", "Apple iPad", "ios")),
        (f"Mozilla/5.0 (X11; U; Linux x86_64; en-US) {_CHROME} Puffin/9.7AP", ("mobile", "Android Phone", "android")),
        ("Mozilla/5.0 (Linux; Tizen 3.0; SM-Z777F) AppleWebKit/537.36 Mobile", _TIZEN),
        ("[FBAN/FB4A;FBAV/27.0;FBLC/en_US;FBDV/QX1]", ("mobile", "Android Phone", "android")),
        ("[FBAN/FBIOS;FBAV/27.0;FBLC/en_US]", ("mobile", "Apple iPhone", "ios")),
        ("Quiet Office/16.44 (Mac OS/11.1; Desktop; en-US)", ("desktop", "Apple Computer", "macos")),
        ("UCWEB/2.0 (Windows; U; wds 8.10; de-DE; RM-7777) Mobile", ("mobile", "Windows Phone", "windows")),
        ("Opera/9.80 (QX; Opera Mini/4.4/37.7936; U; en) Presto/2.12", ("mobile", "Other Mobile Device", None)),
        ("Quiet/117300517 Win32_x86_64/0 (PC laptop)", ("desktop", "Windows Computer", "windows")),
        ("AppleTV77,3/15.1", ("smart_tv", "Apple TV", "tvos")),
        ("gvfs/1.52.1", ("desktop", "Other Computer", "linux")),
        ("Strawberry 1.0.21", ("desktop", "Other Computer", None)),
        ("MOT-QX3re/1.0 Release/13.07.2007 Browser/CMCS1.0", ("mobile", "Other Mobile Device", None)),
    ],
)  # fmt: skip
def test_a_device_has_its_kind_name_and_system(text: str, expected: tuple[str, str, str | None]) -> None:
    agent = classify_agent(text)
    assert (agent.device_type, agent.device, agent.device_os) == expected
