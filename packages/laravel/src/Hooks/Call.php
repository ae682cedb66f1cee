<?php

namespace Fanfare\Laravel\Hooks;

/** A native client sends an event that is none of the protocol's: `Answer::result(…)`. */
final class Call extends Hook
{
    public function event(): string
    {
        return $this->asked['event'];
    }

    public function data(): mixed
    {
        return $this->asked['data'] ?? null;
    }
}
