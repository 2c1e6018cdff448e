/*
 * deny.c - passwords everybody tries first (security.md PW-5).
 *
 * Long common passwords are short common words put together: "password1234567", "letmeinletmein!",
 * "1qaz2wsx3edc4rfv". So the list holds the words, and a password is common when, without digits
 * and punctuation and with @ 0 1 3 $ read as letters, it is made of at most three of them; when it
 * repeats a short piece; when it runs along the keyboard or the alphabet; when it uses fewer than
 * five different characters. Famous long ones are listed whole.
 */
#include "access/internal.h"

#include <string.h>

/* The commonest words of leaked passwords, product words included; lower-case letters only. */
static const char *const words[] = {
    "password", "passwort", "passwd", "pass", "word", "qwerty", "qwertyuiop", "qwertz", "azerty",
    "asdf", "asdfgh", "asdfghjkl", "zxcv", "zxcvbn", "zxcvbnm", "qazwsx", "qaz", "wsx", "edc",
    "letmein", "welcome", "welkom", "willkommen", "login", "logon", "signin", "admin",
    "administrator", "root", "user", "guest", "test", "testing", "tester", "demo", "default",
    "changeme", "change", "changeit", "secret", "secure", "security", "access", "master", "super",
    "superman", "batman", "spiderman", "ironman", "hello", "hallo", "hola", "bonjour", "world",
    "iloveyou", "ilove", "love", "lovely", "lover", "you", "me", "my", "the", "is", "this", "and",
    "monkey", "dragon", "tiger", "lion", "eagle", "panther", "bear", "wolf", "shark", "dolphin",
    "horse", "puppy", "kitty", "cat", "dog", "doggy", "bird", "fish", "rabbit", "butterfly",
    "football", "baseball", "basketball", "soccer", "hockey", "tennis", "golf", "rugby", "cricket",
    "liverpool", "arsenal", "chelsea", "barcelona", "juventus", "realmadrid", "manchester",
    "united", "yankees", "cowboys", "steelers", "lakers", "eagles", "rangers", "packers",
    "sunshine", "moonlight", "rainbow", "summer", "winter", "spring", "autumn", "fall", "monday",
    "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday", "january", "february",
    "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december", "princess", "prince", "king", "queen", "angel", "devil", "heaven", "hell", "god",
    "jesus", "christ", "church", "faith", "hope", "blessed", "trustno", "trust", "believe",
    "shadow", "hunter", "killer", "ninja", "warrior", "soldier", "army", "navy", "marine", "pirate",
    "michael", "jennifer", "jessica", "ashley", "daniel", "david", "james", "john", "robert",
    "william", "thomas", "andrew", "anthony", "joshua", "matthew", "charlie", "george", "jordan",
    "michelle", "nicole", "amanda", "andrea", "maria", "anna", "laura", "sarah", "samantha",
    "elizabeth", "stephanie", "christian", "alexander", "alex", "max", "martin", "peter", "paul",
    "mark", "brian", "kevin", "justin", "brandon", "austin", "dallas", "harley", "maggie", "buster",
    "bailey", "ginger", "pepper", "cookie", "chocolate", "cheese", "coffee", "banana", "orange",
    "apple", "cherry", "peach", "lemon", "pumpkin", "chicken", "pizza", "hamburger", "red", "green",
    "blue", "black", "white", "yellow", "purple", "pink", "silver", "gold", "golden", "diamond",
    "crystal", "computer", "internet", "keyboard", "laptop", "server", "windows", "linux", "ubuntu",
    "debian", "google", "facebook", "youtube", "twitter", "amazon", "microsoft", "oracle",
    "android", "iphone", "samsung", "nintendo", "playstation", "xbox", "pokemon", "pikachu",
    "minecraft", "fortnite", "starwars", "startrek", "matrix", "merlin", "gandalf", "hogwarts",
    "harrypotter", "voldemort", "skywalker", "yoda", "jedi", "vader", "corvette", "ferrari",
    "porsche", "mercedes", "mustang", "camaro", "toyota", "honda", "yamaha", "suzuki", "london",
    "paris", "berlin", "newyork", "chicago", "boston", "texas", "florida", "california", "america",
    "american", "canada", "england", "germany", "france", "india", "mexico", "brasil", "brazil",
    "australia", "china", "japan", "russia", "italia", "espana", "music", "guitar", "metallica",
    "nirvana", "slipknot", "eminem", "beatles", "rockstar", "disco", "dance", "party", "happy",
    "smile", "lucky", "cool", "sexy", "baby", "babygirl", "babyboy", "honey", "sweet", "sweetie",
    "darling", "forever", "family", "mother", "father", "mommy", "daddy", "mama", "papa", "sister",
    "brother", "friend", "friends", "friendship", "girl", "boy", "fuckyou", "fuck", "shit", "bitch",
    "asshole", "money", "dollar", "euro", "million", "business", "company", "office", "work",
    "worker", "manager", "boss", "team", "project", "system", "service", "support", "helpdesk",
    "help", "desk", "database", "backup", "network", "cloud", "data", "account", "private",
    "public", "personal", "temp", "temporary", "new", "old", "first", "last", "one", "two", "three",
    "four", "five", "six", "seven", "eight", "nine", "ten", "zero", "number", "letter", "abc",
    "abcd", "abcdef", "xyz", "aaa", "qqq", "www", "zzz", "correct", "open", "sesame", "opensesame",
    "please", "thankyou", "goodbye", "whatever", "nothing", "something", "everything", "enter",
    "exit", "start", "stop", "now", "here", "there", "good", "bad", "best", "great", "big",
    "little", "small", "strong", "power", "magic", "mystic", "flower", "rose", "lily", "daisy",
    "garden", "tree", "forest", "river", "ocean", "beach", "water", "fire", "earth", "wind", "star",
    "stars", "galaxy", "universe", "space", "rocket", "phoenix", "thunder", "lightning", "storm",
    "snow", "freedom", "liberty", "peace", "victory", "champion", "winner", "legend", "hero",
    "alpha", "omega", "beta", "gamma", "delta", "sigma",
    /* this product and its field */
    "farthing", "finout", "finops", "focus", "megabill", "billing", "bill", "bills", "cost",
    "costs", "ledger", "spend", "budget", "invoice", "azure", "aws", "gcp", "kubernetes"};

static const char *const famous[] = {"correcthorsebatterystaple",
                                     "correct horse battery staple",
                                     "thequickbrownfoxjumps",
                                     "thequickbrownfoxjumpsoverthelazydog",
                                     "the quick brown fox jumps over the lazy dog",
                                     "tobeornottobethatisthequestion",
                                     "to be or not to be that is the question",
                                     "maytheforcebewithyou",
                                     "may the force be with you",
                                     "allyourbasearebelongtous",
                                     "iamnotarobotiamnotarobot",
                                     "neverguessthispassword",
                                     "youwillneverguessthis",
                                     "youwillneverguess",
                                     "thisisaverylongpassword",
                                     "thisismypassword",
                                     "thisisapassword",
                                     "incorrectpassword",
                                     "passwordispassword",
                                     "myvoiceismypassport",
                                     "onceuponatime",
                                     "supercalifragilisticexpialidocious",
                                     "antidisestablishmentarianism",
                                     "winteriscoming",
                                     "winter is coming",
                                     "rememberthismoment",
                                     "letmeinimmediately",
                                     "pleaseletmeinnow",
                                     "iloveyousomuch",
                                     "iloveyouforever",
                                     "iloveyoumorethananything",
                                     "mynameisinigomontoya",
                                     "donotforgetthispassword",
                                     "dontforgetthispassword",
                                     "qazwsxedcrfvtgbyhnujm",
                                     "zaqxswcdevfrbgtnhymju",
                                     "hunter2hunter2hunter2",
                                     "trustno1trustno1",
                                     "p@ssw0rdp@ssw0rd"};

static const char *const rows[] = {
    "01234567890123456789", "abcdefghijklmnopqrstuvwxyz",
    "qwertyuiop[]",         "asdfghjkl;'",
    "zxcvbnm,./",           "qwertzuiop",
    "azertyuiop",           "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/",
    "!@#$%^&*()_+",         "1q2w3e4r5t6y7u8i9o0p"};

enum { MAX = 256, MAX_PARTS = 3, RUN = 4 };

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
}

static bool few_characters(fa_str s)
{
    bool seen[256] = {0};
    int n = 0;

    for (size_t i = 0; i < s.n; i++)
        if (!seen[(unsigned char)s.p[i]]) {
            seen[(unsigned char)s.p[i]] = true;
            n++;
        }
    return n < 5;
}

/* The whole text is one piece of at most ten bytes over and over, the last time maybe cut. */
static bool repeats(fa_str s)
{
    for (size_t p = 1; p <= 10 && p * 2 <= s.n; p++)
        if (memcmp(s.p, s.p + p, s.n - p) == 0)
            return true;
    return false;
}

static size_t run_at(fa_str s, size_t at)
{
    size_t best = 0;

    for (size_t r = 0; r < FA_COUNT(rows); r++) {
        size_t len = strlen(rows[r]);

        for (size_t i = 0; i < len; i++) {
            size_t up = 0, down = 0;

            while (at + up < s.n && i + up < len && s.p[at + up] == rows[r][i + up])
                up++;
            while (at + down < s.n && down <= i && s.p[at + down] == rows[r][i - down])
                down++;
            best = up > best ? up : best;
            best = down > best ? down : best;
        }
    }
    return best;
}

/* All but four characters lie in runs along a keyboard row, the alphabet or the digits. */
static bool runs(fa_str s)
{
    size_t loose = 0;

    for (size_t i = 0; i < s.n;) {
        size_t n = run_at(s, i);

        if (n >= RUN) {
            i += n;
        } else {
            i++;
            loose++;
        }
    }
    return loose <= 4;
}

static bool part_at(const char *s, size_t n, size_t at, fa_str w)
{
    if (w.n < 2 || at + w.n > n)
        return false;
    for (size_t i = 0; i < w.n; i++)
        if (lower(w.p[i]) != s[at + i])
            return false;
    return true;
}

/* least[i]: the fewest words that make up the first i letters. */
static bool made_of_words(const char *s, size_t n, const fa_str *own, size_t nown)
{
    unsigned char least[MAX + 1];

    memset(least, 255, sizeof least);
    least[0] = 0;
    for (size_t i = 0; i < n; i++) {
        if (least[i] >= MAX_PARTS)
            continue;
        for (size_t w = 0; w < FA_COUNT(words) + nown; w++) {
            fa_str word = w < FA_COUNT(words) ? fa_str_of(words[w]) : own[w - FA_COUNT(words)];

            if (part_at(s, n, i, word) && least[i] + 1 < least[i + word.n])
                least[i + word.n] = (unsigned char)(least[i] + 1);
        }
    }
    return least[n] <= MAX_PARTS;
}

/* Letters only; `leet`: with the usual digits and signs read as the letters they stand for. */
static size_t letters_of(fa_str s, bool leet, char out[MAX])
{
    static const char from[] = "@4031!5$7+", to[] = "aaoeiisstt";
    size_t n = 0;

    for (size_t i = 0; i < s.n && n < MAX; i++) {
        char c = s.p[i];
        const char *f = leet && c ? strchr(from, c) : NULL;

        if (f)
            c = to[f - from];
        if ((c >= 'a' && c <= 'z') || (unsigned char)c >= 0x80)
            out[n++] = c;
    }
    return n;
}

size_t fa_password_denied_count(void)
{
    return FA_COUNT(famous) + FA_COUNT(words) + FA_COUNT(words) * FA_COUNT(words);
}

bool fa_password_common(fa_str password, const fa_str *own, size_t nown)
{
    char low[MAX], letters[MAX];
    fa_str s = {low, 0};
    size_t n;

    for (size_t i = 0; i < password.n && s.n < MAX; i++)
        low[s.n++] = lower(password.p[i]);
    for (size_t i = 0; i < FA_COUNT(famous); i++)
        if (fa_str_eqz(s, famous[i]))
            return true;
    if (few_characters(s) || repeats(s) || runs(s))
        return true;
    for (int leet = 0; leet < 2; leet++) {
        n = letters_of(s, leet, letters);
        if (!leet && n == 0)
            return s.n < 20; /* digits and signs alone: dates, card and phone numbers */
        if (n && made_of_words(letters, n, own, nown))
            return true;
    }
    return false;
}
