"""A method's settings: its own defaults, then the preset's, then what somebody gave."""

import difflib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from llmgen.artifacts.complaints import describe
from llmgen.errors import InputError

_WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False, "none": None}


def build_config(method_class: Any, preset_defaults: Mapping[str, Any], given: Mapping[str, Any]) -> Any:
    """Build a method's settings.

    Args:
        method_class: The method; its `Config` names the settings.
        preset_defaults: Settings of the preset for this method.
        given: Settings of a manifest or the command line. A text is also read as JSON (`3`, `true`, `[1, 2]`) or as a list with
            commas where the setting is not a text.

    Returns:
        An instance of `method_class.Config`.

    Raises:
        InputError: If a setting does not exist (with near names), has a bad value or contradicts the profile that is chosen.
    """
    what = f"{method_class.stage} {method_class.name}"
    model: type[BaseModel] = method_class.Config
    for source, settings in (("the preset", preset_defaults), ("the command or manifest", given)):
        for name in settings:
            if name not in model.model_fields:
                near = difflib.get_close_matches(name, model.model_fields, n=2, cutoff=0.5)
                hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
                if name in ("width", "height") and "layout" in method_class.needs:
                    hint = f" It draws on the layout's canvas, so give --{name} to `llmgen layout`."
                if name == "scheduler":
                    hint = " It steps by a loop of its own, which it needs, whatever the scheduler; leave it away."
                names = ", ".join(model.model_fields) or "none"
                raise InputError(f"{what} has no setting {name!r} (given by {source}).{hint} Settings: {names}")
    config = _read_all(what, model, {**preset_defaults, **given})
    profile = method_class.Config.profiles.get(getattr(config, "profile", None)) if hasattr(model, "profiles") else None
    if profile is None:
        return config
    for name in given.keys() & (profile.settings.keys() - set(profile.free)):
        wanted = profile.settings[name]
        if getattr(config, name) != wanted:
            raise InputError(
                f"{what}: profile {config.profile!r} means {name}={wanted!r}; leave {name} away, or the profile"
            )
    chosen = {name: value for name, value in profile.settings.items() if name not in given}
    try:
        return model.model_validate({**config.model_dump(), **chosen})
    except ValidationError as error:
        raise _refused(what, error) from error


def _read_all(what: str, model: type[BaseModel], values: dict[str, Any]) -> Any:
    try:
        return _check(model, values)
    except ValidationError as error:
        wrong = {str(problem["loc"][0]): problem["type"] for problem in error.errors() if problem["loc"]}
    # Only what did not fit as it stands is read again, so that a text setting keeps a value such as "1".
    for name, reason in wrong.items():
        if isinstance(values.get(name), str):
            values[name] = _read(values[name], as_list=reason in ("tuple_type", "list_type"))
    try:
        return _check(model, values)
    except ValidationError as error:
        raise _refused(what, error) from error


def _refused(what: str, error: ValidationError) -> InputError:
    """What is wrong with one setting, or with several together."""
    reason = describe(error)
    return InputError(f"{what}: setting {reason[1:]}" if reason.startswith("/") else f"{what}: {reason}")


def _check(model: type[BaseModel], values: Mapping[str, Any]) -> BaseModel:
    return model.model_validate_json(json.dumps(values, default=str))


def _read(text: str, *, as_list: bool) -> Any:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    if as_list and not isinstance(value, list):
        return [part.strip() for part in text.split(",")]
    return value
