"""The one model of `paritygate.toml`. Flags over `PARITYGATE_*` environment over file over the defaults written here.

Each field's description is what the docs print. Environment names nest with two underscores: `PARITYGATE_PROXY__LISTEN`.
"""

from __future__ import annotations

import ipaddress
import sys
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, PrivateAttr, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from settings.gate_model import Gate
from settings.section import Section
from settings.units import Duration, Size
from traffic.redact_paths import read_path
from traffic.redact_values import VALUES, check_kinds

Mirror = Literal["off", "reads", "writes"]


def _backend_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/") or parts.query:
        raise ValueError("expected http(s)://host:port with no path")
    try:
        _ = parts.port
    except ValueError as error:
        raise ValueError("expected http(s)://host:port with a port from 1 to 65535") from error
    return value.rstrip("/")


def _page_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("expected a path such as /version, or http(s)://host:port/path")
    if parts.username is not None or parts.password is not None:
        raise ValueError("holds a user or a password: the version has to be readable without")
    return value


def _address(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 <= int(port) <= 65535:
        raise ValueError("expected host:port, e.g. 127.0.0.1:8080")
    return value


def _on_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Primary(Section):
    """The trusted backend."""

    url: str = Field("http://127.0.0.1:8001", description="where Django answers")

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        return _backend_url(value)


class Candidate(Section):
    """The backend under test."""

    url: str = Field("http://127.0.0.1:8002", description="where FastAPI answers")
    build_header: str = Field("X-Build", description="response header that names the build; a new build starts new evidence")
    version_url: str | None = Field(
        None, description="where the candidate says which build runs (text or JSON), asked every 2 s; a path is one of `url`"
    )

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        return _backend_url(value)

    @field_validator("version_url")
    @classmethod
    def _check_version_url(cls, value: str | None) -> str | None:
        return value if value is None or value.startswith("/") else _page_url(value)

    @property
    def version_address(self) -> str | None:
        """The whole version URL; None where there is none."""
        own = self.version_url is not None and self.version_url.startswith("/")
        return f"{self.url}{self.version_url}" if own else self.version_url


class Proxy(Section):
    """The live path."""

    listen: str = Field("127.0.0.1:8080", description="where clients connect")
    admin: str = Field("127.0.0.1:8081", description="healthz readyz metrics pause resume drain; loopback by default")
    admin_token_file: str | None = Field(
        None, description="file whose first line is the admin listener's bearer token; required when `admin` is not on loopback"
    )
    workers: int = Field(1, ge=1, le=64, description="processes that share the port; about one per core")
    max_memory: Size | None = Field(
        None,
        gt=0,
        description="resident memory of one worker, 150 MiB or more: from 80 % of it no bodies are kept for copies, from 95 % nothing "
        "is copied, clients are always served; when unset, the cgroup's limit, shared by the workers and one more",
    )
    tls_certificate: str | None = Field(
        None, description="PEM file (certificate, then its chain): clients are then served over TLS only; relative to this file"
    )
    tls_key: str | None = Field(None, description="PEM file with the certificate's key, without a passphrase")
    http2: bool = Field(False, description="offer HTTP/2 to clients; needs TLS and Python 3.12 or newer")
    trusted_proxies: tuple[str, ...] = Field(
        ("127.0.0.0/8", "::1"), description="networks whose X-Forwarded-* pass; anyone else's is replaced"
    )

    @field_validator("listen", "admin")
    @classmethod
    def _check_address(cls, value: str) -> str:
        return _address(value)

    @field_validator("trusted_proxies")
    @classmethod
    def _check_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for network in value:
            ipaddress.ip_network(network, strict=False)
        return value

    @model_validator(mode="after")
    def _belongs_together(self) -> Proxy:
        if (self.tls_certificate is None) != (self.tls_key is None):
            missing = "tls_key" if self.tls_key is None else "tls_certificate"
            raise ValueError(f"{missing} is missing: TLS towards clients needs both, tls_certificate and tls_key")
        if self.http2 and self.tls_certificate is None:
            raise ValueError("http2 needs tls_certificate and tls_key: clients agree on HTTP/2 while TLS is set up")
        if self.http2 and sys.version_info < (3, 12):
            raise ValueError(
                "http2 needs Python 3.12 or newer: the newest mitmproxy for 3.11 has an h2 that lets requests be smuggled "
                "(GHSA-847f-9342-265h); set http2 = false or change the interpreter"
            )
        if self.admin_token_file is None and not _on_loopback(self.admin):
            raise ValueError(
                f"admin = {self.admin} is open to others and has no token; set admin_token_file, or listen on 127.0.0.1"
            )
        return self


class MirrorSection(Section):
    """What is copied to the other backend, and how much of it."""

    methods: tuple[Literal["GET", "HEAD", "OPTIONS"], ...] = Field(
        ("GET", "HEAD"), description="mirrored everywhere; unsafe methods only per route (mirror = 'writes')"
    )
    sample: float = Field(1.0, gt=0, le=1, description="share of the eligible requests that is mirrored")
    timeout: Duration = Field(5.0, gt=0, description="total deadline of one copy")
    max_body: Size = Field(1024 * 1024, gt=0, description="raw bytes; a larger body is not compared")
    max_in_flight: int = Field(64, ge=1, description="copies under way at once")
    rate: float | None = Field(
        None, gt=0, description="copies per second at most, above it they are skipped(rate_limited); no limit"
    )
    queue: int = Field(1000, ge=1, description="exchanges that wait for the shadow before new ones are dropped and counted")
    channel: str = Field("paritygate.sock", description="where proxy and shadow meet, relative to this file")


class Store(Section):
    """Where results go."""

    url: str = Field(
        "sqlite+aiosqlite:///paritygate.db", description="SQLAlchemy URL; a relative SQLite path is relative to this file"
    )
    keep_examples: int = Field(5, ge=1, le=100, description="examples kept per cluster")
    retention: Duration = Field(30 * 86400.0, gt=0, description="age at which examples, clusters and tallies are pruned")
    max_size: Size = Field(
        1024**3, gt=0, description="bytes that examples may take, compressed; beyond it the oldest are pruned"
    )


class Rules(Section):
    """Ignore rules."""

    files: tuple[str, ...] = Field(("rules/*.yaml",), description="rule files, relative to this file")


class Cutover(Section):
    """How decisions reach the proxies."""

    proxies: tuple[str, ...] = Field((), description="admin addresses of all proxies; empty: this machine's")
    key_file: str = Field("paritygate.key", description="signs decisions and the shadow header; made by `init`")

    @field_validator("proxies")
    @classmethod
    def _check_proxies(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_address(address) for address in value)


class Redact(Section):
    """What is secret: tokens stand for it in everything that is stored or logged. Telling names are secret without being listed."""

    headers: tuple[str, ...] = Field(
        (
            *("authorization", "cookie", "set-cookie", "proxy-authorization", "x-api-key", "x-auth-token", "x-access-token"),
            *("x-csrftoken", "x-csrf-token", "x-xsrf-token", "x-amz-security-token"),
        ),
        description="headers whose whole value is secret; of `cookie` and `set-cookie` the value of every cookie",
    )
    cookies: tuple[str, ...] = Field(
        (), description="cookies whose values are secret where `headers` does not name all of them"
    )
    query: tuple[str, ...] = Field(
        (), description="fields of queries, forms and other texts; each segment of a name such as `auth[access_token]` counts"
    )
    json_paths: tuple[str, ...] = Field(
        ("$..password", "$..token", "$..secret"),
        alias="json",
        description="RFC 9535 paths; `$..name` counts in queries and forms, too; an index, slice or filter counts as `[*]`",
    )
    values: tuple[str, ...] = Field(VALUES, description="what is secret by its looks, whatever its name")
    key_file: str | None = Field(
        None, description="a key of its own for the tokens, made when missing; when unset it is derived from `cutover.key_file`"
    )
    key_version: int = Field(1, ge=1, description="raise it to change the key, and so all tokens from then on")

    @field_validator("values")
    @classmethod
    def _check_values(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        check_kinds(value)
        return value

    @field_validator("json_paths")
    @classmethod
    def _check_paths(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for path in value:
            read_path(path)
        return value


class Routes(Section):
    """Where route templates come from."""

    openapi: tuple[str, ...] = Field((), description="OpenAPI documents of the candidate: files or URLs")
    urlconf: tuple[str, ...] = Field((), description="files written by `paritygate routes import-django`")
    max: int = Field(10_000, ge=1, description="labels at most")


class RouteEntry(Section):
    """One route's own settings."""

    match: str = Field(description="e.g. 'POST /api/orders/'")
    mirror: Mirror | None = None
    candidate_path: str | None = None


class Dashboard(Section):
    """The pages."""

    listen: str = Field("127.0.0.1:8501", description="where the dashboard answers; loopback by default")

    @field_validator("listen")
    @classmethod
    def _check_address(cls, value: str) -> str:
        return _address(value)


class Settings(BaseSettings):
    """All of `paritygate.toml`."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix="PARITYGATE_", env_nested_delimiter="__", populate_by_name=True
    )

    primary: Primary = Primary()
    candidate: Candidate = Candidate()
    proxy: Proxy = Proxy()
    mirror: MirrorSection = MirrorSection()
    store: Store = Store()
    rules: Rules = Rules()
    gate: Gate = Gate()
    cutover: Cutover = Cutover()
    redact: Redact = Redact()
    routes: Routes = Routes()
    route: tuple[RouteEntry, ...] = ()
    dashboard: Dashboard = Dashboard()

    _base: Path = PrivateAttr(default_factory=Path.cwd)
    _source: Path | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _backends_differ(self) -> Settings:
        if self.primary.url == self.candidate.url:
            raise ValueError("primary.url and candidate.url are the same: the candidate would be compared with itself")
        for name in ("primary", "candidate"):
            url = urlsplit(getattr(self, name).url)
            if f"{url.hostname}:{url.port}" == self.proxy.listen and self.proxy.listen.rpartition(":")[2] != "0":
                raise ValueError(f"{name}.url is the proxy's own address {self.proxy.listen}: requests would run in a circle")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what the loader hands in: it merges file, environment and flags itself, because flags must win over both."""
        return (init_settings,)

    @property
    def base(self) -> Path:
        """The folder that relative paths are relative to: the file's, else the working directory."""
        return self._base

    @property
    def source(self) -> Path | None:
        """The file this was read from, None when there was none."""
        return self._source

    def path(self, name: str) -> Path:
        """A configured path, made absolute."""
        return (self._base / name).absolute()

    @property
    def channel_path(self) -> Path:
        """The hand-off's socket."""
        return self.path(self.mirror.channel)

    @property
    def key_path(self) -> Path:
        """The signing key."""
        return self.path(self.cutover.key_file)

    @property
    def state_dir(self) -> Path:
        """Where a machine keeps its openings and its last decisions, beside the channel."""
        return self.channel_path.parent / ".paritygate"

    @property
    def store_url(self) -> str:
        """The store's URL with a relative SQLite path made absolute."""
        scheme, separator, rest = self.store.url.partition(":///")
        if scheme.startswith("sqlite") and separator and rest and not rest.startswith((":memory:", "/")):
            return f"{scheme}:///{self.path(rest)}"
        return self.store.url

    def located(self, base: Path, source: Path | None) -> Settings:
        """The same settings with their folder known. For the loader."""
        self._base, self._source = base, source
        return self


def as_document(settings: Settings) -> dict[str, Any]:
    """The settings as JSON prints them."""
    return settings.model_dump(mode="json", by_alias=True)
