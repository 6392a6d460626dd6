"""Inpainting by a server with the web API of A1111 or Forge.

Unlike the published loop: guidance, seed and negative prompt are said, no style of the server's own is used unless it is named, there is a
timeout, and what goes wrong is one line. What a server answers is bounded before it is read, and decoded by the one decoder.

Source: GPT4-Contextual-Diffusion (2023), the request of its section "Stage 4"; https://github.com/AUTOMATIC1111/stable-diffusion-webui.
"""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import Any, Final

import httpx2
import numpy as np
from PIL import Image

from llmgen.errors import InputError, MissingRequirementError, ModelError
from llmgen.llm.providers.deadline import Loop
from llmgen.paint.inpainter import Cost, Patch
from llmgen.paint.web_payload import IMG2IMG, SAMPLER, merged
from llmgen.printable import printable
from llmgen.vision.decoding import decode, encode_png

PATH: Final = "/sdapi/v1/img2img"
MOST_BYTES: Final = 96 * 2**20
"""Of an answer: pictures as base64."""
_CONNECT_S: Final = 10.0
_MULTIPLE: Final = 8
_SHOWN: Final = 200


class WebInpainter:
    """Implements `llmgen.paint.inpainter.Inpainter` with a server.

    Args:
        url: Where it listens, for example `http://127.0.0.1:7860`.
        num_inference_steps: Steps of a full run.
        guidance_scale: Classifier-free guidance.
        mask_blur_px: How much the server blurs the mask.
        sampler: Of the server's samplers.
        styles: The server's own presets of words.
        timeout_s: Longest time for one picture, from the request to its last byte.
        progress: Told about each patch.

    Raises:
        InputError: If the address is none.
    """

    multiple = _MULTIPLE

    def __init__(
        self,
        url: str,
        *,
        num_inference_steps: int,
        guidance_scale: float,
        mask_blur_px: int = 4,
        sampler: str = SAMPLER,
        styles: Sequence[str] = (),
        timeout_s: float = 300.0,
        progress: Callable[[str], None] = lambda message: None,
    ) -> None:
        try:
            parsed = httpx2.URL(url)
        except (httpx2.InvalidURL, ValueError, TypeError) as error:
            raise InputError(f"{url[:80]!r} is no address of a server, such as http://127.0.0.1:7860") from error
        if parsed.scheme not in ("http", "https") or not parsed.host:
            raise InputError(f"{url[:80]!r} is no address of a server, such as http://127.0.0.1:7860")
        self.cost, self._url, self._progress = Cost(), url.rstrip("/"), progress
        self._steps, self._guidance, self._blur = num_inference_steps, guidance_scale, mask_blur_px
        self._requests = Loop(_nothing)
        self._sampler, self._styles, self._timeout_s = sampler, list(styles), timeout_s

    def steps_at(self, strength: float) -> int:
        """As the server counts: the share of the noise, at least one step."""
        return max(1, min(int(self._steps * strength), self._steps))

    def payload(self, patch: Patch) -> dict[str, Any]:
        """What is sent for a patch: the published request, with what it leaves to the server's mood."""
        return merged(
            IMG2IMG,
            {
                "styles": self._styles,
                "mask_blur": self._blur,
                "steps": self._steps,
                "sampler_index": self._sampler,
                "sampler_name": self._sampler,
                "denoising_strength": patch.strength,
                "width": patch.image.width,
                "height": patch.image.height,
                "prompt": patch.prompt,
                "negative_prompt": patch.negative,
                "cfg_scale": self._guidance,
                "seed": patch.seed,
                "init_images": [data_url(patch.image)],
                "mask": data_url(Image.fromarray(patch.mask.astype(np.uint8) * 255)),
            },
        )

    def paint(self, patches: Sequence[Patch]) -> list[Image.Image]:
        """See `Inpainter.paint`."""
        painted = []
        for number, patch in enumerate(patches, start=1):
            self._progress(f"inpainting {number} of {len(patches)} at {self._url}")
            answer = self._post(self.payload(patch))
            pictures = answer.get("images") if isinstance(answer, dict) else None
            if not isinstance(pictures, list) or not pictures or not isinstance(pictures[0], str):
                raise ModelError(f"the server at {self._url} answered without a picture: {_short(json.dumps(answer))}")
            picture = picture_of(pictures[0])
            if picture.size != patch.image.size:
                raise ModelError(
                    f"the server at {self._url} painted {picture.width}x{picture.height} pixels instead of "
                    f"{patch.image.width}x{patch.image.height}; switch its upscaling off"
                )
            self.cost.add(patch, self.steps_at(patch.strength))
            painted.append(picture)
        return painted

    def _post(self, body: dict[str, Any]) -> Any:
        try:
            status, data = self._requests.run(self._answer(body), self._timeout_s)
        except httpx2.ConnectError as error:
            raise MissingRequirementError(
                f"no server answers at {self._url}; start A1111 or Forge with --api, or name another with --set api_url=..."
            ) from error
        except (httpx2.TimeoutException, TimeoutError) as error:
            raise self._late() from error
        except httpx2.HTTPError as error:
            raise ModelError(
                f"the server at {self._url} broke off: {_short(str(error) or type(error).__name__)}"
            ) from error
        if status != 200:
            raise ModelError(f"the server at {self._url} refused with HTTP {status}: {_reason(data)}")
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise ModelError(f"the server at {self._url} answered without JSON: {_short(_text(data))}") from error

    async def _answer(self, body: dict[str, Any]) -> tuple[int, bytes]:
        """Status and body; whoever waits for it cuts it, head included, when its time is over."""
        timeout = httpx2.Timeout(self._timeout_s, connect=min(_CONNECT_S, self._timeout_s))
        data = bytearray()
        async with (
            httpx2.AsyncClient(timeout=timeout, follow_redirects=False) as client,
            client.stream("POST", self._url + PATH, json=body) as response,
        ):
            async for chunk in response.aiter_bytes():
                data += chunk
                if len(data) > MOST_BYTES:
                    raise ModelError(f"the server at {self._url} sent more than {MOST_BYTES // 2**20} MiB")
        return response.status_code, bytes(data)

    def _late(self) -> ModelError:
        return ModelError(
            f"the server at {self._url} took longer than {self._timeout_s:g} s; raise it with --set api_timeout_s=..."
        )


async def _nothing() -> None:
    """What is left to be closed once a request is over."""


def data_url(image: Image.Image) -> str:
    """A picture as the API takes it."""
    return f"data:image/png;base64,{base64.b64encode(encode_png(image)).decode()}"


def picture_of(text: str) -> Image.Image:
    """A picture of an answer: base64, with line breaks or a `data:` prefix or without.

    Raises:
        ModelError: If it is no picture.
    """
    body = text.partition(",")[2] if text.startswith("data:") else text
    try:
        return decode(base64.b64decode("".join(body.split()), validate=True), "of the server")
    except (binascii.Error, ValueError, InputError) as error:
        raise ModelError(f"the server's picture cannot be read: {_short(str(error))}") from error


def _reason(data: bytes) -> str:
    """What a server says of its own fault."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return _short(_text(data)) or "it says no more"
    if isinstance(value, dict):
        said = [value[key] for key in ("error", "detail", "errors", "message") if value.get(key)]
        if said:
            return _short("; ".join(one if isinstance(one, str) else json.dumps(one) for one in said))
    return _short(json.dumps(value))


def _text(data: bytes) -> str:
    return data[: 4 * _SHOWN].decode("utf-8", "replace")


def _short(text: str) -> str:
    line = " ".join(printable(text).split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 3] + "..."
