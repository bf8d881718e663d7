// A layer dictionary (spec 2.9) as the engine reads it. The engine knows no Python: the binding flattens
// each dictionary into numbers, texts and arrays, a nested key "params": {"a": 1} becoming "params.a".
#pragma once

#include <map>
#include <stdexcept>
#include <string>
#include <vector>

namespace convnet {

// What an engine refuses: a net it cannot run, data that does not fit.
class EngineError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

struct HostMatrix {
    int rows = 0, cols = 0;
    std::vector<float> values;  // row-major
};

class LayerConfig {
public:
    std::string name, type;
    std::map<std::string, std::vector<double>> numbers;
    std::map<std::string, std::vector<std::string>> texts;
    std::map<std::string, std::vector<HostMatrix>> arrays;

    bool has(const std::string& key) const { return numbers.count(key) || texts.count(key) || arrays.count(key); }

    const std::vector<double>& list(const std::string& key) const { return find(numbers, key); }
    const std::vector<std::string>& text_list(const std::string& key) const { return find(texts, key); }
    const std::vector<HostMatrix>& array_list(const std::string& key) const { return find(arrays, key); }

    double number(const std::string& key, std::size_t index = 0) const { return at(list(key), key, index); }
    int integer(const std::string& key, std::size_t index = 0) const { return static_cast<int>(number(key, index)); }
    const std::string& text(const std::string& key, std::size_t index = 0) const {
        return at(text_list(key), key, index);
    }
    const HostMatrix& array(const std::string& key, std::size_t index = 0) const {
        return at(array_list(key), key, index);
    }

private:
    template <class Values>
    const Values& find(const std::map<std::string, Values>& all, const std::string& key) const {
        const auto found = all.find(key);
        if (found == all.end()) throw EngineError("Layer '" + name + "': its dictionary lacks '" + key + "'");
        return found->second;
    }
    template <class Value>
    const Value& at(const std::vector<Value>& values, const std::string& key, std::size_t index) const {
        if (index >= values.size())
            throw EngineError("Layer '" + name + "': '" + key + "' has " + std::to_string(values.size()) +
                              " entries, needs " + std::to_string(index + 1));
        return values[index];
    }
};

}  // namespace convnet
