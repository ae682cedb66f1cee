<?php

namespace Fanfare\Laravel\Hooks;

/** Before a client is welcome. Without a listener it is whom Laravel knows by the forwarded cookie or token, or nobody. */
final class Connect extends Hook
{
    /** The parameters of its address. */
    public function query(): array
    {
        return (array) ($this->asked['query'] ?? []);
    }

    /** Null without one, `claims` of a valid JWT, or `error` and `text` of any other. */
    public function token(): ?array
    {
        return $this->asked['token'] ?? null;
    }
}
