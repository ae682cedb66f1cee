<?php
// An application in plain PHP beside `fanfare serve`: `php shop.php COMMAND ARGUMENT…`, as a request of its users would run it.
// It prints what it was answered. The keys are in the environment: FANFARE_URL, FANFARE_APP, FANFARE_KEY, FANFARE_SECRET.

declare(strict_types=1);

function secret(): string
{
    return getenv('FANFARE_SECRET') ?: '';
}

/** A signed call of the HTTP API; `$query` are its own parameters. */
function call(string $method, string $path, ?array $body = null, array $query = []): string
{
    $path = '/apps/' . getenv('FANFARE_APP') . $path;
    $text = $body === null ? '' : json_encode((object) $body, JSON_THROW_ON_ERROR);
    $query += ['auth_key' => getenv('FANFARE_KEY'), 'auth_timestamp' => (string) time(), 'auth_version' => '1.0'];
    if ($text !== '') {
        $query['body_md5'] = md5($text);
    }
    ksort($query);
    $pairs = array_map(fn ($name) => "$name={$query[$name]}", array_keys($query));
    $query['auth_signature'] = hash_hmac('sha256', "$method\n$path\n" . implode('&', $pairs), secret());
    $http = ['method' => $method, 'content' => $text, 'header' => 'Content-Type: application/json', 'ignore_errors' => true];
    $answer = file_get_contents(getenv('FANFARE_URL') . $path . '?' . http_build_query($query), false, stream_context_create(['http' => $http]));
    if (!str_contains($http_response_header[0], ' 200 ')) {
        fwrite(STDERR, "$method $path: {$http_response_header[0]} $answer\n");
        exit(1);
    }
    return $answer;
}

function database(): PDO
{
    $db = new PDO('sqlite:' . getenv('SHOP_DATABASE'));
    $db->exec('pragma busy_timeout = 10000');
    return $db;
}

function migrate(): string
{
    database()->exec('create table orders (id text primary key)');
    return '{}';
}

/** The order and its event are stored together, or neither is. */
function order(string $id, string $isPaid): string
{
    $db = database();
    $db->beginTransaction();
    $db->prepare('insert into orders values (?)')->execute([$id]);
    $db->prepare('insert into fanfare_publications (channel, event, data) values (?, ?, ?)')
        ->execute(['private-orders.ada', 'ordered', json_encode(['id' => $id])]);
    $isPaid === 'paid' ? $db->commit() : $db->rollBack();
    return '{}';
}

$command = $argv[1];
$a = $argv[2] ?? '';
$b = $argv[3] ?? '';
$c = $argv[4] ?? '';
echo match ($command) {
    'migrate' => migrate(),
    'sign' => json_encode(['auth' => getenv('FANFARE_KEY') . ':' . hash_hmac('sha256', "$a:$b:$c", secret()), 'channel_data' => $c]),
    'publish' => call('POST', '/events', ['name' => $b, 'channel' => $a, 'data' => $c]),
    'members' => call('GET', "/channels/$a/members"),
    'history' => call('GET', "/channels/$a/history", null, ['limit' => '2'] + ($b === '' ? [] : ['before' => $b])),
    'forget' => call('DELETE', "/channels/$a/history"),
    'ban' => call('POST', "/channels/$a/kick", ['user_id' => $b, 'ban_s' => 60, 'message' => 'Be kind.']),
    'unban' => call('POST', "/channels/$a/unban", ['user_id' => $b]),
    'subscribe' => call('POST', "/users/$a/subscribe", ['channel' => $b]),
    'disconnect' => call('POST', "/users/$a/terminate_connections"),
    'order' => order($a, $b),
};
