<?php

namespace App;

use RuntimeException;

/** Calls of the HTTP API, signed as Pusher's. Pusher's own library has `post` and `get` for the same. */
class Fanfare
{
    public static function get(string $path, array $query = []): array
    {
        return self::call('GET', $path, null, $query);
    }

    public static function post(string $path, array $body = [], array $query = []): array
    {
        return self::call('POST', $path, $body, $query);
    }

    /** What lets a client into a private or presence channel, with `channel_data` where it has members. */
    public static function auth(string $connection, string $channel, ?array $member = null): array
    {
        $data = $member === null ? null : json_encode($member);
        $signed = implode(':', array_filter([$connection, $channel, $data]));
        $auth = config('fanfare.key') . ':' . hash_hmac('sha256', $signed, config('fanfare.secret'));
        return array_filter(['auth' => $auth, 'channel_data' => $data]);
    }

    private static function call(string $method, string $path, ?array $body, array $query): array
    {
        $path = '/apps/' . config('fanfare.app') . $path;
        $text = $body === null ? '' : json_encode((object) $body, JSON_THROW_ON_ERROR);
        $query += ['auth_key' => config('fanfare.key'), 'auth_timestamp' => (string) time(), 'auth_version' => '1.0'];
        if ($text !== '') $query['body_md5'] = md5($text);
        ksort($query);
        $pairs = array_map(fn ($name) => "$name={$query[$name]}", array_keys($query));
        $query['auth_signature'] = hash_hmac('sha256', "$method\n$path\n" . implode('&', $pairs), config('fanfare.secret'));
        $headers = ['Content-Type: application/json'];
        // A trace that somebody has begun goes on in Fanfare, and from there in browsers.
        if ($trace = request()->header('traceparent')) $headers[] = "traceparent: $trace";
        $http = ['method' => $method, 'content' => $text, 'header' => $headers, 'ignore_errors' => true];
        $url = config('fanfare.url') . $path . '?' . http_build_query($query);
        $answer = file_get_contents($url, false, stream_context_create(['http' => $http]));
        if (!str_contains($http_response_header[0], ' 200 ')) {
            throw new RuntimeException("$method $path: {$http_response_header[0]} $answer");
        }
        return json_decode($answer, true);
    }
}
