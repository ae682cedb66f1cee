<?php

namespace Fanfare\Laravel\Api;

use Illuminate\Broadcasting\BroadcastException;
use Throwable;

/** What the server refused, or why there was no answer. Branch on `errorCode`; the message is for a log. */
class FanfareException extends BroadcastException
{
    public function __construct(
        string $message,
        /** The server's code (`data_too_large`, …), or `unreachable`, `http_error`, `answer_invalid`, `data_invalid`. */
        public readonly string $errorCode,
        /** The HTTP status; null where there was no answer. */
        public readonly ?int $status = null,
        /** Whether the same call may succeed later. */
        public readonly bool $isRetryable = false,
        /** Seconds that the server asked to wait. */
        public readonly ?float $retryAfter = null,
        ?Throwable $previous = null,
    ) {
        parent::__construct($message, $status ?? 0, $previous);
    }
}
