<?php

namespace Fanfare\Laravel\Api;

use CurlHandle;
use JsonException;

/** Calls the server's HTTP API: signs, waits, and tries again where that may help. A queue worker keeps its connection open. */
class HttpApi
{
    private const FIRST_PAUSE_S = 0.2;

    private const LONGEST_PAUSE_S = 5.0;

    private ?CurlHandle $curl = null;

    /** @param array{connect_timeout?: float, timeout?: float, retries?: int} $limits */
    public function __construct(private readonly Credentials $credentials, private readonly array $limits = []) {}

    /**
     * `$path` is below `/apps/ID`, escaped; null in `$body` and `$query` is left out. Every call may be repeated: publications have a key.
     *
     * @throws FanfareException
     */
    public function call(string $method, string $path, ?array $body = null, array $query = []): array
    {
        $text = $body === null ? '' : self::json((object) self::present($body));
        for ($attempt = 0; ; $attempt++) {
            try {
                return $this->send($method, $path, $text, self::present($query));
            } catch (FanfareException $error) {
                $pause = max(min(self::FIRST_PAUSE_S * 2 ** $attempt, self::LONGEST_PAUSE_S), $error->retryAfter ?? 0);
                // Whoever waits for a page waits no longer than that; a queued job is tried again by its queue.
                $isWorthIt = $error->isRetryable && $attempt < ($this->limits['retries'] ?? 2) && $pause <= self::LONGEST_PAUSE_S;
                if (! $isWorthIt) {
                    throw $error;
                }
                usleep((int) ($pause * 1_000_000 * (1 + random_int(0, 50) / 100)));
            }
        }
    }

    public static function json(mixed $value): string
    {
        try {
            return json_encode($value, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_PRESERVE_ZERO_FRACTION);
        } catch (JsonException $error) {
            throw new FanfareException("The data cannot be written as JSON: {$error->getMessage()}", 'data_invalid', previous: $error);
        }
    }

    private function send(string $method, string $path, string $body, array $query): array
    {
        $retryAfter = null;
        $this->curl ??= curl_init();
        curl_reset($this->curl);
        curl_setopt_array($this->curl, [
            CURLOPT_URL => $this->signedUrl($method, $path, $body, $query),
            CURLOPT_CUSTOMREQUEST => $method,
            CURLOPT_RETURNTRANSFER => true,
            CURLOPT_CONNECTTIMEOUT_MS => (int) (1000 * ($this->limits['connect_timeout'] ?? 2)),
            CURLOPT_TIMEOUT_MS => (int) (1000 * ($this->limits['timeout'] ?? 5)),
            CURLOPT_NOSIGNAL => true,
            // A redirect would be signed for another address.
            CURLOPT_FOLLOWLOCATION => false,
            CURLOPT_PROTOCOLS => CURLPROTO_HTTP | CURLPROTO_HTTPS,
            CURLOPT_HTTPHEADER => ['Content-Type: application/json', 'Accept: application/json', 'Expect:'],
            CURLOPT_HEADERFUNCTION => function ($_, string $line) use (&$retryAfter): int {
                if (preg_match('/^retry-after:\s*(\d+)\s*$/i', $line, $found)) {
                    $retryAfter = (float) $found[1];
                }

                return strlen($line);
            },
        ]);
        if ($body !== '') {
            curl_setopt($this->curl, CURLOPT_POSTFIELDS, $body);
        }
        $answer = curl_exec($this->curl);
        if ($answer === false) {
            $why = curl_error($this->curl);
            throw new FanfareException("Fanfare at {$this->credentials->url()} did not answer: {$why}.", 'unreachable', isRetryable: true);
        }

        return $this->read((string) $answer, curl_getinfo($this->curl, CURLINFO_RESPONSE_CODE), $retryAfter);
    }

    private function read(string $text, int $status, ?float $retryAfter): array
    {
        $answer = json_decode($text, true);
        if ($status >= 200 && $status < 300) {
            if (! is_array($answer)) {
                throw new FanfareException("The answer of {$this->credentials->url()} is not JSON: is it Fanfare's address?", 'answer_invalid', $status);
            }

            return $answer;
        }
        $said = is_string($answer['error'] ?? null) ? $answer['error'] : trim(substr($text, 0, 200));
        $code = is_string($answer['code'] ?? null) ? $answer['code'] : 'http_error';
        throw new FanfareException("Fanfare answered {$status}: {$said}", $code, $status, $status === 429 || $status >= 500, $retryAfter);
    }

    private function signedUrl(string $method, string $path, string $body, array $query): string
    {
        ['scheme' => $scheme, 'host' => $host] = $parts = parse_url($this->credentials->url()) + ['scheme' => '', 'host' => ''];
        $path = ($parts['path'] ?? '').'/apps/'.rawurlencode($this->credentials->appId()).$path;
        $query = array_map('strval', $query) + [
            'auth_key' => $this->credentials->key(),
            'auth_timestamp' => (string) time(),
            'auth_version' => '1.0',
        ] + ($body === '' ? [] : ['body_md5' => md5($body)]);
        ksort($query, SORT_STRING);
        $pairs = implode('&', array_map(fn (string $name) => "{$name}={$query[$name]}", array_keys($query)));
        $query['auth_signature'] = $this->credentials->sign("{$method}\n{$path}\n{$pairs}");
        $authority = isset($parts['port']) ? "{$host}:{$parts['port']}" : $host;

        return "{$scheme}://{$authority}{$path}?".http_build_query($query, '', '&', PHP_QUERY_RFC3986);
    }

    private static function present(array $values): array
    {
        return array_filter($values, fn (mixed $value) => $value !== null);
    }
}
