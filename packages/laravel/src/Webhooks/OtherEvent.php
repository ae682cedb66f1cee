<?php

namespace Fanfare\Laravel\Webhooks;

/** One that this package has no class for. */
final class OtherEvent implements WebhookEvent
{
    public function __construct(
        /** As it came, with `name`. */
        public readonly array $event,
        public readonly int $timeMs,
    ) {}
}
