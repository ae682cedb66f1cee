<?php

namespace Fanfare\Laravel\Webhooks;

/** A user has joined a presence channel. */
final class MemberAdded implements WebhookEvent
{
    public function __construct(public readonly string $channel, public readonly string $userId, public readonly int $timeMs) {}
}
