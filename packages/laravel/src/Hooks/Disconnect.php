<?php

namespace Fanfare\Laravel\Hooks;

/** A connection has ended. There is nothing to answer; what a listener throws has the server say it again. */
final class Disconnect extends Hook
{
    /** The close code. */
    public function code(): int
    {
        return (int) ($this->asked['code'] ?? 0);
    }

    /** How long it lasted. */
    public function seconds(): float
    {
        return (float) ($this->asked['seconds'] ?? 0);
    }
}
