<?php

namespace Fanfare\Laravel\Webhooks;

/** A user has left a presence channel. */
final class MemberRemoved implements WebhookEvent
{
    public function __construct(public readonly string $channel, public readonly string $userId, public readonly int $timeMs) {}
}
