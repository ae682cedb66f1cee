<?php

namespace Fanfare\Laravel\Hooks;

/** A client wants to join a channel. Without a listener, routes/channels.php decides, unless a signature or a token has proven it. */
final class Subscribe extends Hook
{
    public function channel(): string
    {
        return $this->asked['channel'];
    }

    /** Whether it wants to see who is in a presence channel without being a member: `Answer::watch()` lets it, and nothing else does. */
    public function wantsToWatch(): bool
    {
        return (bool) ($this->asked['watch'] ?? false);
    }

    /** Whether a signature, or a token that names the channel, permits it already. */
    public function isProven(): bool
    {
        return (bool) ($this->asked['proven'] ?? false);
    }
}
