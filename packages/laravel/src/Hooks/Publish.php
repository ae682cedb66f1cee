<?php

namespace Fanfare\Laravel\Hooks;

/** A client publishes. */
final class Publish extends Hook
{
    public function channel(): string
    {
        return $this->asked['channel'];
    }

    public function event(): string
    {
        return $this->asked['event'];
    }

    public function payload(): mixed
    {
        return $this->asked['payload'] ?? null;
    }
}
