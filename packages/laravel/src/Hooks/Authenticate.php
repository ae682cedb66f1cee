<?php

namespace Fanfare\Laravel\Hooks;

/** A native client signs in with anything but a JWT. */
final class Authenticate extends Hook
{
    public function data(): mixed
    {
        return $this->asked['data'] ?? null;
    }
}
